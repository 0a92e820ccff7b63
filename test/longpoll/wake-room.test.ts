/** The wake room alone: what Redis would publish, the test says. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { WakeRoom, type Waiter } from "../../src/longpoll/wake-room.ts";
import { nextTurn } from "../../src/turn.ts";
import { soon } from "../support/until.ts";

const HOUR_MS = 3_600_000;
const RELOOK_MS = 40;

let room: WakeRoom;
let publish: (message: string | null) => void;
/** Those who may ask again, in the order in which they learned it; and those whose wait ended without. */
let woken: string[];
let ended: string[];

beforeEach(() => {
  [woken, ended] = [[], []];
  room = openRoom();
});

afterEach(() => room.close());

function openRoom(relookMs?: number): WakeRoom {
  const listen = (channel: string, heard: (message: string | null) => void): void => {
    if (channel === "wakes") publish = heard;
  };
  return new WakeRoom({ listen }, "wakes", relookMs);
}

interface Guest {
  readonly waiter: Waiter;
  /** Resolves to whether they may ask again. */
  readonly wait: Promise<boolean>;
  /** Ends the connection of the one who waits. */
  hangUp(): void;
}

/** Enters and waits. */
function come(label: string, name = "default", ms = HOUR_MS): Guest {
  const waiter = room.enter(name);
  return { waiter, ...waitOn(label, waiter, ms) };
}

function waitOn(label: string, waiter: Waiter, ms = HOUR_MS): Omit<Guest, "waiter"> {
  const controller = new AbortController();
  const wait = room.untilWoken(waiter, controller.signal, ms).then((mayAsk) => {
    (mayAsk ? woken : ended).push(label);
    return mayAsk;
  });
  return { wait, hangUp: () => controller.abort() };
}

/** Publishes, and lets all that follows at once happen. */
async function hear(message: string | null): Promise<void> {
  publish(message);
  await nextTurn();
}

test("a wake for two wakes the two who came first; once they have left, the next one is the third's", async () => {
  const [ada, bob] = [come("Ada"), come("Bob")];
  come("Cyd");
  come("Dan");
  await hear("2 default");
  expect(woken).toEqual(["Ada", "Bob"]);
  room.leave(ada.waiter);
  room.leave(bob.waiter);
  await hear("1 default");
  expect(woken).toEqual(["Ada", "Bob", "Cyd"]);
  expect(ended).toEqual([]);
});

test("a wake that comes while the first one asks is theirs, and the next one's once they are served", async () => {
  const ada = come("Ada");
  come("Bob");
  await hear("1 default");
  await hear("1 default");
  expect(woken).toEqual(["Ada"]);
  room.leave(ada.waiter);
  await nextTurn();
  expect(woken).toEqual(["Ada", "Bob"]);
});

test("a wake is for the name that it says, and for no other", async () => {
  come("Ada", "default");
  come("Bob", "iced");
  await hear("5 decaf");
  expect(woken).toEqual([]);
  await hear("5 iced");
  expect(woken).toEqual(["Bob"]);
});

test("of two wakes before they ask again, the second is the next one's", async () => {
  const ada = room.enter("default");
  come("Bob");
  publish("1 default");
  await hear("1 default");
  expect(woken).toEqual(["Bob"]);
  waitOn("Ada", ada);
  await nextTurn();
  expect(woken).toEqual(["Bob", "Ada"]);
});

test("a wake that comes while they ask is kept for them, once", async () => {
  const ada = room.enter("default");
  publish("1 default");
  expect(await soon(waitOn("Ada", ada).wait, "Ada may ask again")).toBe(true);
  waitOn("Ada again", ada);
  await nextTurn();
  expect(woken).toEqual(["Ada"]);
});

test("a wake for more than wait is not kept for those who come later", async () => {
  come("Ada");
  publish("3 default");
  come("Bob");
  await nextTurn();
  expect(woken).toEqual(["Ada"]);
});

test("a wake that came too late for one who leaves goes to the next", async () => {
  const ada = room.enter("default");
  come("Bob");
  come("Cyd");
  await hear("1 default");
  expect(woken).toEqual([]);
  room.leave(ada);
  await nextTurn();
  expect(woken).toEqual(["Bob"]);
  room.leave(ada);
  await nextTurn();
  expect(woken).toEqual(["Bob"]);
});

test("a wake that comes in the moment they hang up goes to the next", async () => {
  const ada = come("Ada");
  come("Bob");
  publish("1 default");
  ada.hangUp();
  expect(await soon(ada.wait, "Ada's wait ends")).toBe(false);
  room.leave(ada.waiter);
  await nextTurn();
  expect(woken).toEqual(["Bob"]);
});

test("one who leaves without a wake has none to pass on, and gets none", async () => {
  const ada = come("Ada");
  come("Bob");
  ada.hangUp();
  expect(await soon(ada.wait, "Ada's wait ends")).toBe(false);
  room.leave(ada.waiter);
  await nextTurn();
  expect(woken).toEqual([]);
  await hear("1 default");
  expect(woken).toEqual(["Bob"]);
});

test("one who has hung up before the wait does not wait", async () => {
  const waiter = room.enter("default");
  const wait = room.untilWoken(waiter, AbortSignal.abort(), HOUR_MS);
  expect(await soon(wait, "the wait ends")).toBe(false);
});

test("a subscription that was lost wakes all, of every name", async () => {
  come("Ada");
  come("Bob");
  come("Cyd", "iced");
  await hear(null);
  expect(woken.toSorted()).toEqual(["Ada", "Bob", "Cyd"]);
});

test("a room that closes ends all waits, and no wait begins any more", async () => {
  const guests = [come("Ada"), come("Bob"), come("Cyd", "iced")];
  expect(room.isClosed).toBe(false);
  room.close();
  expect(room.isClosed).toBe(true);
  expect(await soon(Promise.all(guests.map(({ wait }) => wait)), "all waits end")).toEqual([false, false, false]);
  expect(await soon(come("Dan").wait, "a wait that comes later ends")).toBe(false);
  await hear("9 default");
  expect(woken).toEqual([]);
});

test("a wait ends after its own bound, and may ask once more", async () => {
  const ada = come("Ada", "default", 20);
  come("Bob");
  expect(await soon(ada.wait, "the bound is over")).toBe(true);
  expect(woken).toEqual(["Ada"]);
});

test("without a wake, one who waits long asks again after the room's bound", async () => {
  room = openRoom(RELOOK_MS);
  expect(await soon(come("Ada").wait, "the room's bound is over")).toBe(true);
});
