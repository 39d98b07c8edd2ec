"""How a report looks: its one style sheet, for screens light and dark, and for paper."""

from __future__ import annotations

from airflow_registry.cli.report.svg import COLOURS

STYLE = (
    """\
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --soft: #57606a; --line: #d0d7de; --shade: #f6f8fa; --link: #0550ae; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9aa4af; --line: #3d444d; --shade: #161b22; --link: #79b8ff; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 66rem; padding: 1.5rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0.5rem 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 0.75rem; padding-bottom: 0.25rem; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1.5rem 0 0.5rem; overflow-wrap: anywhere; }
a { color: var(--link); }
nav ul { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; margin: 0; padding: 0; list-style: none; }
dl { display: grid; grid-template-columns: minmax(9rem, 16rem) 1fr; gap: 0.2rem 1.25rem; margin: 0.75rem 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
[data-missing] { color: var(--soft); font-style: italic; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
th, td { padding: 0.35rem 0.6rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
td { max-width: 32rem; }
td.long { min-width: 12rem; overflow-wrap: anywhere; }
thead th { background: var(--shade); font-weight: 600; overflow-wrap: normal; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
pre { background: var(--shade); border: 1px solid var(--line); border-radius: 6px; padding: 0.75rem 1rem; overflow-x: auto;
  font-size: 0.85rem; }
details { margin: 1rem 0; }
summary { cursor: pointer; font-weight: 600; }
figure { margin: 1.25rem 0; }
.drawings { display: flex; flex-wrap: wrap; gap: 1rem 2rem; }
.drawings svg { display: block; max-width: 100%; height: auto; }
figcaption { color: var(--soft); font-size: 0.9rem; margin-top: 0.25rem; }
footer { margin-top: 3rem; color: var(--soft); font-size: 0.9rem; }
@media (max-width: 40rem) {
  dl { grid-template-columns: 1fr; } dt { margin-top: 0.4rem; } body { padding: 1rem; }
  .drawings { overflow-x: auto; } .drawings svg { max-width: none; } /* shrunk, its words could not be read */
}
@media print {
  :root { color-scheme: light; --ink: #000000; --paper: #ffffff; --soft: #444444; --line: #bbbbbb; --shade: #f4f4f4; --link: #000000; }
  body { max-width: none; padding: 0; font-size: 11pt; }
  nav { display: none; }
  tr, figure, pre { break-inside: avoid; }
  h2, h3, summary { break-after: avoid; }
  .wide { overflow: visible; }
  details::details-content { content-visibility: visible; display: block; }
}
"""
    + COLOURS
)
