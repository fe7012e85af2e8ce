// How far a job is: told by the server as it goes; the page is fetched anew once it is over.
const task = document.getElementById("task");
const events = new EventSource(task.dataset.events);
events.onmessage = (event) => {
  const told = JSON.parse(event.data);
  if (told.is_over) { events.close(); location.reload(); return; }
  if (told.progress) task.textContent = told.progress;
};
