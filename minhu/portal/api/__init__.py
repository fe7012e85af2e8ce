"""The same for programs: every route asks a function that a page or a command asks, as the person whose key it holds.

calling   who asks, how often, problems in both languages
answers   rows as JSON, CSV or a workbook, a page at a time; what has not changed is not sent again
shapes    what is answered, where no dataclass of the house says it
routes    what can be asked, and told
manual    the pages of this description, for people
"""
