"""How the page looks: one column, dark on light, on paper and on a phone."""

STYLE = """\
:root { --ink: #1d2733; --quiet: #5b6775; --line: #d5dbe1; --soft: #f4f6f8; --accent: #1f5f8b; }
* { box-sizing: border-box; }
html { color-scheme: light; background: #fff; -webkit-text-size-adjust: 100%; }
body { margin: 0; color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto,
  "Noto Sans", "Helvetica Neue", Arial, "Noto Sans CJK SC", "Noto Sans SC", "PingFang SC",
  "Microsoft YaHei", sans-serif; }
main { max-width: 54rem; margin: 0 auto; padding: 2.2rem 1.2rem 3rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.22rem; margin: 2.6rem 0 .5rem; padding-bottom: .25rem;
  border-bottom: 2px solid var(--line); }
p { margin: .5rem 0; max-width: 46rem; }
.subtitle { color: var(--quiet); margin: .2rem 0 1.4rem; overflow-wrap: anywhere; }
.lead { font-size: 1.3rem; line-height: 1.4; font-weight: 600; margin: 1rem 0 .4rem; }
.note, .warning, .alarm { padding: .55rem .9rem; border-left: 4px solid var(--accent);
  background: #eef4f9; max-width: none; }
.warning { border-color: #c98a00; background: #fdf6e3; }
.alarm { border: 0; background: #b3261e; color: #fff; font-weight: 600; font-size: 1.08rem;
  padding: .9rem 1.1rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: .7rem;
  margin: 1.3rem 0 .6rem; }
.fact { border: 1px solid var(--line); border-radius: 6px; padding: .6rem .8rem .7rem; }
.fact span, .fact small { display: block; color: var(--quiet); font-size: .82rem;
  line-height: 1.35; }
.fact b { display: block; font-size: 1.45rem; line-height: 1.3; font-weight: 650; }
figure { margin: 1rem 0; overflow-x: auto; }
figure svg { display: block; width: 100%; min-width: 34rem; max-width: 54rem; height: auto; }
.scroll { overflow-x: auto; margin: 1rem 0 .3rem; }
table { border-collapse: collapse; font-size: .9rem; line-height: 1.35; min-width: 60%;
  font-variant-numeric: tabular-nums lining-nums; }
caption { text-align: left; color: var(--quiet); padding-bottom: .4rem; font-size: .88rem; }
th, td { padding: .34rem .6rem; text-align: right; vertical-align: top; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
thead th { font-weight: 600; vertical-align: bottom; white-space: normal;
  border-bottom: 1.5px solid var(--quiet); }
th[scope=row], .words, th:first-child { text-align: left; white-space: normal; }
th[scope=row] { font-weight: 400; min-width: 8.5rem; max-width: 16rem; overflow-wrap: break-word; }
th[scope=row]:has(i) { padding-left: 1.75em; text-indent: -1.25em; }
td.words { min-width: 11rem; }
th small, td small { display: block; color: var(--quiet); font-size: .88em; font-weight: 400; }
.margin th, .margin td { background: var(--soft); }
th i { display: inline-block; width: .8em; height: .8em; margin-right: .45em; border-radius: 2px;
  border: 1px solid #4a5560; vertical-align: -.06em; }
.matrix td, .matrix thead th { min-width: 3.6rem; }
.matrix .axes th { border: 0; color: var(--quiet); text-align: center; padding-bottom: 0; }
.matrix .axes th:first-child { text-align: left; }
.matrix thead th { text-align: right; }
.matrix thead th[scope=col] { font-weight: 500; }
.matrix thead th i { display: block; margin: 0 0 .2em auto; }
.zero { color: #9aa4ae; }
td small { white-space: normal; max-width: 10rem; margin-left: auto; }
td .tight { white-space: nowrap; max-width: none; }
.wide { font-size: .76rem; }
.wide th, .wide td { padding: .22rem .35rem; }
.wide td, .wide thead th { min-width: 2.2rem; }
.wide th[scope=row] { position: sticky; left: 0; background: #fff; }
.footnote { color: var(--quiet); font-size: .84rem; margin: .25rem 0; }
details { margin-top: 2.2rem; border-top: 2px solid var(--line); }
details h2 { display: inline; border: 0; font-size: 1.1rem; }
summary { cursor: pointer; padding: .6rem 0; }
footer { margin-top: 3rem; padding-top: .6rem; border-top: 1px solid var(--line);
  color: var(--quiet); font-size: .84rem; }
@media (max-width: 40rem) { main { padding: 1.2rem .9rem 2rem; } h1 { font-size: 1.35rem; }
  .lead { font-size: 1.12rem; } th, td { padding: .3rem .4rem; } table { font-size: .84rem; }
  th[scope=row] { min-width: 6rem; max-width: 9rem; } }
@page { size: A4; margin: 16mm 14mm; }
@media print { body { font-size: 10.5pt; } main { max-width: none; padding: 0; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  h2, summary { break-after: avoid; }
  figure, tr, .note, .warning, .alarm, .fact { break-inside: avoid; }
  .scroll, figure { overflow: visible; } figure svg { min-width: 0; }
  table { font-size: 8.6pt; } th, td { padding: .22rem .35rem; }
  caption, .footnote { font-size: 8.6pt; } table:not(.long) { break-inside: avoid; }
  details::details-content { content-visibility: visible; height: auto; }
  .matrix td, .matrix thead th { min-width: 0; }
  .wide { font-size: 5pt; } .wide th, .wide td { padding: .1rem .12rem; }
  .wide th[scope=row] { position: static; min-width: 5rem; } }
"""
