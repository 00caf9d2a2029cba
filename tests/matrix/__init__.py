"""The compatibility matrix: what every caller's schema can say, said to every upstream, and what became of it.

`asks` is what is said, `say_*` how each schema says it, `hear` how each schema's answer is read; `upstreams` are vendors
that take apart what they were sent; `house` is a whole worker between the two, in this process. `judge` gives a cell
its verdict, `cells`, `kinds` and `families` run the tables, `page` writes them down (`tools/compatibility.py`).
"""
