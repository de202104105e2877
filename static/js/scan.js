/* Reads a ticket's code with the camera, where the browser can. A scanner that types needs none of this.
   The camera runs only while its picture is shown, and stops when the page is left or hidden. */
(() => {
  "use strict";
  const form = document.querySelector("[data-scan-form]");
  if (!form) return;
  const part = (name) => form.querySelector(`[data-scan${name}]`);
  const start = part(""), view = part("-view"), video = part("-video"), say = part("-say"), none = part("-none");
  const canRead = "BarcodeDetector" in window && navigator.mediaDevices && navigator.mediaDevices.getUserMedia;
  let stream = null;
  let timer = 0;

  const tell = (text) => {
    none.textContent = text;
    none.hidden = !text;
  };
  const stop = () => {
    clearTimeout(timer);
    if (stream) for (const track of stream.getTracks()) track.stop();
    stream = null;
    video.srcObject = null;
    view.hidden = true;
    start.hidden = !canRead;
  };
  const refused = (error) => {
    stop();
    const why = { NotAllowedError: "The camera isn’t allowed here. Allow it in the browser’s settings, or type the reference.", NotFoundError: "This device has no camera. Type the reference, or use a scanner." };
    tell(why[error.name] || "The camera didn’t start. Another app may be using it; type the reference instead.");
  };
  const look = async (detector) => {
    if (!stream) return;
    try {
      const [code] = video.readyState >= 2 ? await detector.detect(video) : [];
      if (code && stream) {
        stop();
        const field = part("-field");
        field.value = code.rawValue;
        form.requestSubmit();
        return;
      }
    } catch { /* one frame that can't be read; the next one may be */ }
    timer = setTimeout(look, 150, detector);
  };
  const begin = async () => {
    tell("");
    start.hidden = true;
    view.hidden = false;
    say.textContent = "Hold the code in front of the camera.";
    try {
      const detector = new BarcodeDetector({ formats: ["qr_code"] });
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: start.dataset.scan || "environment" } });
      if (view.hidden) return stop(); // stopped while the browser was asking
      video.srcObject = stream;
      await video.play();
      part("-stop").focus();
      look(detector);
    } catch (error) {
      refused(error);
    }
  };

  if (!canRead) {
    tell(none.dataset.cannot);
    return;
  }
  start.hidden = false;
  start.addEventListener("click", begin);
  part("-stop").addEventListener("click", () => {
    stop();
    start.focus();
  });
  window.addEventListener("pagehide", stop);
  document.addEventListener("visibilitychange", () => { if (document.hidden) stop(); });
})();
