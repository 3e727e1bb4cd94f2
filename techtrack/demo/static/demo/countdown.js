// Counts the seconds until the first alarm, then looks again.
const shown = document.querySelector("[data-countdown]");
if (shown) {
  const ends = performance.now() + Number(shown.dataset.countdown) * 1000;
  const timer = setInterval(() => {
    const left = Math.ceil((ends - performance.now()) / 1000);
    shown.textContent = Math.max(left, 0);
    if (left < -1) {
      clearInterval(timer);
      location.reload();
    }
  }, 250);
}
