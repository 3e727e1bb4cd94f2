// Small lines beside the newest values: the last hundred readings or so, then whatever arrives.

const WIDTH = 120;
const HEIGHT = 36;
const MARGIN = 3;
const POINTS = 60;
const MOST_POINTS = 400;
const AT_ONCE = 3;

export class Sparks {
  constructor(root) {
    this.byAsset = new Map();
    this.queue = [];
    this.running = 0;
    this.inSight = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        this.inSight.unobserve(entry.target);
        this.queue.push(this.byAsset.get(Number(entry.target.closest("[data-asset]").dataset.asset)));
      }
      this.work();
    }, { rootMargin: "600px" });
    this.adopt(root);
  }

  adopt(root) {
    for (const svg of root.querySelectorAll("[data-spark]")) {
      const { spark: code, span, to } = svg.dataset;
      const asset = Number(svg.closest("[data-asset]").dataset.asset);
      this.byAsset.set(asset, { line: svg.querySelector("polyline"), asset, code, span: Number(span), to, points: [] });
      this.inSight.observe(svg);
    }
  }

  async work() {
    while (this.running < AT_ONCE && this.queue.length) {
      this.running += 1;
      await this.load(this.queue.shift());
      this.running -= 1;
    }
  }

  async load(spark) {
    const end = new Date(spark.to).getTime();
    const query = new URLSearchParams({
      asset: spark.asset,
      parameter: spark.code,
      from: new Date(end - spark.span * 1000).toISOString(),
      to: new Date(end + 1000).toISOString(),
      interval: "auto",
      points: POINTS,
    });
    const answer = await fetch(`/api/history/?${query}`).catch(() => null);
    if (!answer?.ok) return;
    const rows = (await answer.json()).series[0]?.rows ?? [];
    const past = rows.filter((row) => row[2] !== null).map((row) => [Date.parse(row[0]), row[2]]);
    spark.points = [...past, ...spark.points.filter(([at]) => at > (past.at(-1)?.[0] ?? 0))];
    this.draw(spark);
  }

  take({ asset, timestamp, values }) {
    const spark = this.byAsset.get(asset);
    const value = spark && values[spark.code];
    if (typeof value !== "number") return;
    spark.points.push([Date.parse(timestamp), value]);
    if (spark.pending) return;
    spark.pending = true;
    setTimeout(() => requestAnimationFrame(() => this.draw(spark)), 500);
  }

  draw(spark) {
    spark.pending = false;
    spark.points.sort((one, other) => one[0] - other[0]);
    const newest = spark.points.at(-1)?.[0] ?? 0;
    spark.points = spark.points.filter(([at]) => at >= newest - spark.span * 1000).slice(-MOST_POINTS);
    if (spark.points.length < 2) return;
    const oldest = spark.points[0][0];
    const values = spark.points.map(([, value]) => value);
    const low = Math.min(...values);
    const reach = Math.max(...values) - low || 1;
    const x = (at) => (((at - oldest) / (newest - oldest || 1)) * WIDTH).toFixed(1);
    const y = (value) => (HEIGHT - MARGIN - ((value - low) / reach) * (HEIGHT - 2 * MARGIN)).toFixed(1);
    spark.line.setAttribute("points", spark.points.map(([at, value]) => `${x(at)},${y(value)}`).join(" "));
  }
}
