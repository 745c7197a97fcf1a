"""The Grafana dashboards, as code: `python -m tools.dashboards` writes deploy/grafana/dashboards/.

Each page is a module: fleet, worker, pipeline, clients. They say what is asked and what the answer means; how a panel
looks stands in panels.py and looks.py, what all pages share in page.py, and the questions' common parts in promql.py.
"""
