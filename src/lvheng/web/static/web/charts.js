// 图：目标轨迹为带，实绩为实线，预测为虚线，直接标注，不用图例；颜色取自样式表，深浅色随系统。
"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const drawn = new Map();
  const maps = new Map();

  function palette() {
    const style = getComputedStyle(document.documentElement);
    const get = (name) => style.getPropertyValue(name).trim();
    return {
      ink: get("--ink"), ink2: get("--ink-2"), ink3: get("--ink-3"), line: get("--line"), line2: get("--line-2"), paper: get("--paper"),
      surface: get("--surface"), pine: get("--pine"), pine2: get("--pine-2"), soft: get("--pine-soft"), red: get("--red"), redMiddle: get("--red-middle"), redLight: get("--red-light"),
      sans: get("--sans"),
    };
  }
  const group = (text) => text.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  function show(value, places) {
    if (value === null || value === undefined || Number.isNaN(value)) return "—";
    const fixed = Math.abs(value).toFixed(places);
    const [whole, part] = fixed.split(".");
    return (value < 0 ? "−" : "") + group(whole) + (part ? `.${part}` : "");
  }
  function base(c) {
    return {
      animation: false,
      backgroundColor: "transparent",
      textStyle: { fontFamily: c.sans, color: c.ink2, fontSize: 12 },
      tooltip: {
        renderMode: "richText", trigger: "axis", backgroundColor: c.surface, borderColor: c.line2, borderWidth: 1,
        textStyle: { color: c.ink, fontSize: 12, fontFamily: c.sans }, axisPointer: { lineStyle: { color: c.line2 } },
      },
    };
  }
  function axes(c, data) {
    return {
      grid: { left: 8, right: data.space || 96, top: 34, bottom: 8, containLabel: true },
      xAxis: {
        type: "category", data: data.periods, boundaryGap: data.bars === true, axisTick: { show: false },
        axisLine: { lineStyle: { color: c.line2 } }, axisLabel: { color: c.ink2 },
      },
      yAxis: {
        type: "value", name: data.unit, nameTextStyle: { color: c.ink3, align: "left" }, scale: data.from_zero === false,
        axisLabel: { color: c.ink2, formatter: (v) => show(v, Math.min(data.places, Number.isInteger(v) ? 0 : data.places)) },
        splitLine: { lineStyle: { color: c.line } },
      },
    };
  }
  function lastOf(values) {
    for (let i = values.length - 1; i >= 0; i -= 1) if (values[i] !== null) return i;
    return -1;
  }
  function labelled(values, name, data, color, weight) {
    const at = lastOf(values);
    return values.map((v, i) => (i === at
      ? { value: v, label: { show: true, formatter: `${name} ${show(v, data.places)}`, position: i === values.length - 1 ? "right" : "top", color, fontWeight: weight, distance: 8, textBorderWidth: 0 } }
      : v));
  }

  function room(data, texts) {
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = "600 12px sans-serif";
    return Math.min(220, Math.max(24, ...texts.map((text) => pen.measureText(text).width + 18)));
  }
  function endLabel(name, data, values, color) {
    const at = lastOf(values);
    return { show: at >= 0, formatter: at >= 0 ? `${name} ${show(values[at], data.places)}` : "", color, distance: 8 };
  }

  const kinds = {
    // { periods, unit, places, schedule, value, forecast, goal, up, late, words: {schedule, value, forecast, goal} }
    path(data, c) {
      const main = data.late ? c.red : c.pine;
      const known = [...data.schedule, ...data.value, ...data.forecast].filter((v) => v !== null);
      const width = known.length ? (Math.max(...known) - Math.min(0, ...known)) * 0.03 : 0;
      const floor = known.some((v) => v < 0) ? -Infinity : 0;
      const lower = data.schedule.map((v) => (v === null ? null : Math.max(floor, v - width)));
      const thick = data.schedule.map((v, i) => (v === null ? null : v + width - lower[i]));
      const words = data.words;
      const series = [
        { name: "_lower", type: "line", data: lower, stack: "band", symbol: "none", lineStyle: { opacity: 0 }, silent: true, tooltip: { show: false } },
        { name: "_band", type: "line", data: thick, stack: "band", symbol: "none", lineStyle: { opacity: 0 }, areaStyle: { color: c.line2, opacity: 0.35 }, silent: true },
        { name: words.schedule, type: "line", data: data.schedule, symbol: "none", endLabel: endLabel(words.schedule, data, data.schedule, c.ink3), lineStyle: { color: c.ink3, width: 1 }, itemStyle: { color: c.ink3 }, labelLayout: { moveOverlap: "shiftY" } },
        { name: words.forecast, type: "line", data: data.forecast, symbol: "none", endLabel: endLabel(words.forecast, data, data.forecast, main), lineStyle: { color: main, width: 1.5, type: "dashed" }, itemStyle: { color: main }, labelLayout: { moveOverlap: "shiftY" } },
        { name: words.value, type: "line", data: labelled(data.value, words.value, data, main, 600), symbol: "circle", symbolSize: 7, lineStyle: { color: main, width: 2.5 }, itemStyle: { color: main }, labelLayout: { moveOverlap: "shiftY" } },
      ];
      const ends = ["schedule", "forecast", "value"].filter((n) => lastOf(data[n]) >= data.periods.length - 1);
      const space = room(data, ends.map((n) => `${words[n]} ${show(data[n][data.periods.length - 1], data.places)}`));
      const option = { ...base(c), ...axes(c, { ...data, space }), series };
      option.tooltip.formatter = (items) => {
        const rows = items.filter((item) => !item.seriesName.startsWith("_") && item.value !== null && item.value !== undefined);
        return [items[0].axisValue, ...rows.map((item) => `${item.seriesName}  ${show(item.value, data.places)} ${data.unit}`)].join("\n");
      };
      return option;
    },
    // { periods, unit, places, series: [{name, values}] }
    lines(data, c, wide) {
      const colors = [c.pine, c.ink2, c.pine2, c.ink3];
      const named = (one) => (data.series.length > 1 ? one.name : "");
      const series = data.series.map((one, i) => ({
        name: one.name, type: "line", data: one.values, endLabel: endLabel(named(one), data, one.values, colors[i % 4]), connectNulls: false, symbol: "circle",
        symbolSize: data.periods.length > 24 ? 0 : 6, lineStyle: { color: colors[i % 4], width: 2 }, itemStyle: { color: colors[i % 4] }, labelLayout: { moveOverlap: "shiftY" },
      }));
      const ends = data.series.filter((one) => lastOf(one.values) >= data.periods.length - 1);
      const space = Math.min(wide * 0.4, room(data, ends.map((one) => `${named(one)} ${show(one.values[lastOf(one.values)], data.places)}`)));
      const option = { ...base(c), ...axes(c, { ...data, space }), series };
      option.tooltip.formatter = (items) => [items[0].axisValue, ...items.map((item) => `${item.seriesName}  ${show(item.value, data.places)} ${data.unit}`)].join("\n");
      return option;
    },
    // { map: address of the shapes, unit, places, rows: [{code, name, short, value, note, url}], grades: [{value: 0 none to 3 worst, -1 not graded, label}] }
    map(data, c) {
      const known = data.rows.filter((row) => row.value !== null).map((row) => row.value);
      const option = {
        ...base(c),
        visualMap: {
          show: known.length > 1, min: Math.min(...known, 0), max: Math.max(...known, 1), text: [`${show(Math.max(...known, 0), data.places)} ${data.unit}`, show(Math.min(...known, 0), data.places)],
          left: 0, bottom: 8, itemWidth: 10, itemHeight: 90, textStyle: { color: c.ink2, fontSize: 11 }, inRange: { color: [c.soft, c.pine] }, outOfRange: { color: c.line },
        },
        series: [{
          type: "map", map: data.map, nameProperty: "code", roam: false, selectedMode: false, layoutCenter: ["54%", "50%"], layoutSize: "98%",
          itemStyle: { areaColor: c.paper, borderColor: c.line2, borderWidth: 0.75 },
          emphasis: { itemStyle: { areaColor: c.line2 }, label: { color: c.ink } },
          label: { show: true, fontSize: 11, color: c.ink, textBorderColor: c.paper, textBorderWidth: 2, formatter: (item) => (item.data ? item.data.short : "") },
          labelLayout: { hideOverlap: true },
          data: data.rows.map((row) => ({ name: row.code, value: row.value === null ? (data.grades ? -1 : NaN) : row.value, title: row.name, short: row.short, note: row.note, url: row.url })),
        }],
      };
      if (data.grades && data.grades.length) {
        const scale = [c.soft, c.redLight, c.redMiddle, c.red];
        option.visualMap = {
          type: "piecewise", left: 0, bottom: 8, itemWidth: 12, itemHeight: 12, textStyle: { color: c.ink2, fontSize: 12 }, outOfRange: { color: c.paper },
          pieces: data.grades.map((grade) => ({ value: grade.value, label: grade.label, color: grade.value < 0 ? c.line : scale[grade.value] })),
        };
      }
      if (!known.length) delete option.visualMap;
      option.tooltip = { ...option.tooltip, trigger: "item", formatter: (item) => (item.data ? `${item.data.title}\n${data.grades ? "" : `${show(item.value, data.places)} ${data.unit}\n`}${item.data.note || ""}` : "") };
      return option;
    },
  };

  async function shapes(address) {
    if (!maps.has(address)) {
      maps.set(address, fetch(address).then((answer) => answer.json()).then((json) => { window.echarts.registerMap(address, json); return json; }));
    }
    return maps.get(address);
  }
  async function draw(figure) {
    const canvas = figure.querySelector(".canvas");
    const data = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
    const kind = figure.dataset.chart;
    if (data.map) {
      const json = await shapes(data.map);
      if (!json.features.length) { canvas.hidden = true; return; }
    }
    let chart = drawn.get(figure);
    if (!chart) {
      chart = window.echarts.init(canvas, null, { renderer: "canvas" });
      drawn.set(figure, chart);
      chart.on("click", (item) => { if (item.data && item.data.url) window.location.assign(item.data.url); });
      new ResizeObserver(() => { if (canvas.isConnected) chart.resize(); }).observe(canvas); // a swapped-out chart has nothing to fit
    }
    chart.setOption(kinds[kind](data, palette(), canvas.clientWidth), true);
    figure.dataset.drawn = "1";
  }
  function switchTable(figure) {
    const table = figure.querySelector("[data-chart-table]");
    if (!table) return;
    const open = table.classList.toggle("open");
    figure.querySelector("[data-table-switch]").setAttribute("aria-expanded", String(open));
  }
  function picture(figure) {
    const chart = drawn.get(figure);
    if (!chart) return;
    const link = document.createElement("a");
    link.href = chart.getDataURL({ type: "png", pixelRatio: 2, backgroundColor: palette().paper });
    link.download = `${figure.dataset.title}.png`;
    link.click();
  }
  function prepare(within) {
    for (const figure of all("figure[data-chart]", within)) {
      if (figure.dataset.ready) continue;
      figure.dataset.ready = "1";
      const button = figure.querySelector("[data-table-switch]");
      if (!figure.querySelector("[data-chart-table]")) button.hidden = true;
      button.addEventListener("click", () => switchTable(figure));
      figure.querySelector("[data-picture]").addEventListener("click", () => picture(figure));
      figure.addEventListener("keydown", (event) => {
        if (event.key.toLowerCase() === "t" && !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.matches("input")) switchTable(figure);
      });
      draw(figure);
    }
  }
  prepare(document);
  document.addEventListener("htmx:load", (event) => prepare(event.detail.elt));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { for (const figure of drawn.keys()) draw(figure); });
})();
