/**
 * Owns how a phone in a pocket says that a coffee is ready: sound and vibration, where the browser allows them.
 *
 * **Invariants**
 * - Nothing is tried before the customer has touched the page, so that no browser complains.
 */

/** Hz and seconds: three notes that go up. */
const NOTES = [
  [659.3, 0],
  [784, 0.18],
  [1046.5, 0.36],
] as const;
const NOTE_SECONDS = 0.5;
const VIBRATION_MS = [250, 120, 250, 120, 500];

export class Chime {
  #audio: AudioContext | undefined;

  /** To be called from a touch or a key: browsers let a page sound only after one. */
  unlock(): void {
    try {
      this.#audio ??= new AudioContext();
      if (this.#audio.state === "suspended") void this.#audio.resume().catch(() => {});
    } catch {
      // A device without sound.
    }
  }

  ring(): void {
    if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(VIBRATION_MS);
    const audio = this.#audio;
    if (audio?.state !== "running") return;
    for (const [hertz, after] of NOTES) {
      const start = audio.currentTime + after;
      const volume = audio.createGain();
      volume.gain.setValueAtTime(0, start);
      volume.gain.linearRampToValueAtTime(0.3, start + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.001, start + NOTE_SECONDS);
      const note = audio.createOscillator();
      note.type = "triangle";
      note.frequency.value = hertz;
      note.connect(volume).connect(audio.destination);
      note.start(start);
      note.stop(start + NOTE_SECONDS);
    }
  }
}
