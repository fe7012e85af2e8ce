"""Ten days back to back through the real scheduler, while things are killed, hang, come broken or late.

plan       how large, which days, when what strikes
city       its configuration, its files, what is handed over each day
world      the installation at work: services, Airflow, receivers
strikes    the faults
run        the days
checks     what must hold at the end
memory     what each service needed
"""
