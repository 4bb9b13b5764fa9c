// 排口分布图和过程线：颜色取自样式表，深浅色随系统；缺测处断开，标记、停运和疑点为底色。
"use strict";
(() => {
  const HOUR = 3600000;
  function palette() {
    const style = getComputedStyle(document.documentElement);
    const get = (name) => style.getPropertyValue(name).trim();
    return { ink: get("--ink"), ink2: get("--ink-2"), ink3: get("--ink-3"), line: get("--line"), line2: get("--line-2"), paper: get("--paper"), surface: get("--surface"), pine: get("--pine"), red: get("--red"), ochre: get("--ochre"), sans: get("--sans") };
  }
  const read = (figure) => JSON.parse(figure.querySelector("script[type='application/json']").textContent);
  function tip(c) {
    return { renderMode: "richText", backgroundColor: c.surface, borderColor: c.line2, borderWidth: 1, textStyle: { color: c.ink, fontSize: 12, fontFamily: c.sans } };
  }
  const drawn = [];
  function own(figure, draw) {
    const chart = window.echarts.init(figure.querySelector(".canvas"), null, { renderer: "canvas" });
    new ResizeObserver(() => chart.resize()).observe(figure.querySelector(".canvas"));
    drawn.push([figure, () => draw(chart)]);
    draw(chart);
    figure.dataset.drawn = "1";
    return chart;
  }
  async function dots(figure) {
    const data = read(figure);
    const shapes = await (await fetch(data.map)).json();
    if (!shapes.features.length) { figure.hidden = true; return; }
    window.echarts.registerMap(data.map, shapes);
    const chart = own(figure, (to) => {
      const c = palette();
      const kinds = { valid: ["circle", 6, c.pine], stop: ["emptyCircle", 6, c.ink3], none: ["emptyCircle", 6, c.ink3], invalid: ["diamond", 8, c.ochre], missing: ["triangle", 9, c.red], over: ["rect", 9, c.red] };
      to.setOption({
        animation: false, tooltip: { ...tip(c), formatter: (item) => (item.data ? `${item.data.name}\n${data.words[item.data.state]}` : "") },
        geo: { map: data.map, nameProperty: "code", roam: false, silent: true, layoutCenter: ["50%", "50%"], layoutSize: "98%", itemStyle: { areaColor: c.surface, borderColor: c.line2, borderWidth: 0.75 } },
        series: Object.entries(kinds).map(([state, [symbol, size, color]]) => ({
          type: "scatter", coordinateSystem: "geo", symbol, symbolSize: size, itemStyle: { color, opacity: 0.85 },
          data: data.dots.filter((d) => d[2] === state).map((d) => ({ value: [d[0], d[1]], state, name: d[3], url: d[4] })),
        })),
      }, true);
    });
    chart.on("click", (item) => { if (item.data && item.data.url) window.location.assign(item.data.url); });
  }
  async function series(figure) {
    const about = read(figure);
    const fetched = async (query) => (await fetch(about.url + query)).json();
    let data = await fetched("");
    const whole = data;
    const at = (i) => data.start + i * data.step * HOUR;
    const chart = own(figure, (chart) => {
      const c = palette();
      const tint = { over: [c.red, 0.1], stop: [c.line2, 0.35], missing: [c.line2, 0.7], mark: [c.pine, 0.14], lead: [c.red, 0.16] };
      const names = { over: about.words.over, stop: about.words.stop, missing: about.words.substituted, mark: about.words.mark, lead: about.words.lead };
      const areas = data.spans.map(([a, b, kind]) => [{ xAxis: a * HOUR, name: kind === "lead" || kind === "mark" ? names[kind] : "", itemStyle: { color: tint[kind][0], opacity: tint[kind][1] } }, { xAxis: b * HOUR }]);
      const line = (values, extra) => ({ type: "line", name: about.name, showSymbol: false, connectNulls: false, lineStyle: { width: 1.25, color: c.pine }, itemStyle: { color: c.pine }, data: values.map((v, i) => [at(i), v]), ...extra });
      const both = data.step > 1 ? [line(data.low, { lineStyle: { width: 0.75, color: c.pine, opacity: 0.6 } })] : [];
      chart.setOption({
        animation: false, useUTC: true, textStyle: { fontFamily: c.sans },
        grid: { left: 8, right: 24, top: 28, bottom: 52, containLabel: true },
        tooltip: { ...tip(c), trigger: "axis", axisPointer: { lineStyle: { color: c.line2 } } },
        xAxis: { type: "time", min: whole.start, max: whole.start + whole.high.length * whole.step * HOUR, axisLine: { lineStyle: { color: c.line2 } }, axisLabel: { color: c.ink2, hideOverlap: true, formatter: { year: "{yyyy}年", month: "{M}月", day: "{M}月{d}日", hour: "{H}时", minute: "{H}:{mm}" } } },
        yAxis: { type: "value", max: about.limit === null ? undefined : (range) => (range.max < about.limit ? Math.ceil(about.limit * 1.1) : undefined), name: about.unit, nameTextStyle: { color: c.ink3, align: "left" }, axisLabel: { color: c.ink2 }, splitLine: { lineStyle: { color: c.line } } },
        dataZoom: [{ type: "inside" }, { type: "slider", height: 18, bottom: 8, borderColor: c.line2, fillerColor: "rgba(127,127,127,.15)", handleStyle: { color: c.ink3 }, textStyle: { color: c.ink3, fontSize: 11 } }],
        series: [line(data.high, {
          markLine: about.limit === null ? undefined : { symbol: "none", silent: true, lineStyle: { color: c.red, width: 1, type: "solid" }, label: { formatter: `${about.words.limit} ${about.limit}`, position: "insideEndTop", color: c.red }, data: [{ yAxis: about.limit }] },
          markArea: { silent: true, label: { color: c.ink2, fontSize: 11, position: "insideTop" }, data: areas },
        }), ...both],
      }, data === whole);
    });
    if (whole.step === 1) return;
    let asked = 0; // a thinned series is fetched finer for the stretch that is looked at
    chart.on("datazoom", () => {
      const mine = ++asked;
      setTimeout(async () => {
        if (mine !== asked) return;
        const { startValue, endValue } = chart.getOption().dataZoom[0];
        const from = Math.floor(startValue / HOUR), to = Math.ceil(endValue / HOUR);
        const finer = to - from < whole.high.length * whole.step * 0.7;
        const found = finer ? await fetched(`${about.url.includes("?") ? "&" : "?"}from=${from}&to=${to}`) : whole;
        if (mine !== asked || !found.high.length) return;
        data = found;
        drawn.find(([owner]) => owner === figure)[1]();
      }, 200);
    });
  }
  function prepare(within) {
    for (const [selector, draw] of [["figure[data-dots]", dots], ["figure[data-series]", series]]) {
      for (const figure of within.querySelectorAll(selector)) {
        if (figure.dataset.ready) continue;
        figure.dataset.ready = "1";
        draw(figure);
      }
    }
  }
  prepare(document);
  document.addEventListener("htmx:load", (event) => prepare(event.detail.elt));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { for (const [, again] of drawn) again(); });
})();
