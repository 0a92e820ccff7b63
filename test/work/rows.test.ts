/** The work service over HTTP: demands, their rows, and the search among them. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { validate } from "@readme/openapi-parser";
import { EventClient } from "../events/client.ts";
import { ask, expectProblem, expectStatus } from "../support/http.ts";
import { call, MachineServer, orderOf } from "../support/machines.ts";
import { until } from "../support/until.ts";
import { demand, demandRow, findRow, searchRows, sumTo, type WireRow } from "../support/work.ts";

setDefaultTimeout(60_000);

const open = (environment = {}): Promise<MachineServer> =>
  MachineServer.open({ machines: [], environment: { WORK: "on", ...environment } });

async function untilDone(server: MachineServer, id: number): Promise<WireRow> {
  let row = await findRow(server, id);
  await until(async () => (row = await findRow(server, id)).done, `row ${id} is done`);
  return row;
}

describe("a demand", () => {
  test("is answered at once with its row, and is added up", async () => {
    await using server = await open();
    const row = await demandRow(server, { add_up_to: 10, work_code: "mine-1" });
    expect(row).toMatchObject({ id: 1, work_code: "mine-1", add_up_to: 10 });
    const { updated_on: _updated, ...fixed } = row;
    expect(await untilDone(server, 1)).toMatchObject({ ...fixed, done: true, result: 55 });
  });

  test("draws what it does not say: 1 to 99, and api- with ten letters or digits", async () => {
    await using server = await open();
    const rows = await Promise.all([undefined, {}, { done: false }].map((draft) => demandRow(server, draft)));
    expect(new Set(rows.map(({ work_code }) => work_code)).size).toBe(3);
    for (const { id, add_up_to: addUpTo, work_code: workCode } of rows) {
      expect(workCode).toMatch(/^api-[a-z0-9]{10}$/);
      expect(addUpTo).toBeWithin(1, 100);
      expect((await untilDone(server, id)).result).toBe(sumTo(addUpTo));
    }
  });

  test("is one row under one Idempotency-Key, though it draws", async () => {
    await using server = await open();
    const headers = { "Idempotency-Key": "again" };
    const first = await demandRow(server, undefined, { headers });
    const again = await demandRow(server, undefined, { headers });
    expect([again.id, again.work_code, again.add_up_to]).toEqual([first.id, first.work_code, first.add_up_to]);
    expectProblem(await demand(server, { add_up_to: 5, work_code: "x" }, { headers }), 422);
    expect(await searchRows(server)).toHaveLength(1);
  });

  test("is exact up to a million", async () => {
    await using server = await open();
    for (const addUpTo of [1, 2, 99_999, 100_000, 100_001, 1_000_000]) {
      const { id } = await demandRow(server, { add_up_to: addUpTo });
      expect((await untilDone(server, id)).result).toBe(sumTo(addUpTo));
    }
  });

  test.each([
    [{ add_up_to: 0 }, "add_up_to"],
    [{ add_up_to: 1_000_001 }, "add_up_to"],
    [{ add_up_to: 1.5 }, "add_up_to"],
    [{ add_up_to: "10" }, "add_up_to"],
    [{ work_code: "" }, "work_code"],
    [{ work_code: "a b" }, "work_code"],
    [{ work_code: "a".repeat(65) }, "work_code"],
    [{ colour: "red" }, "colour"],
    [{ done: "no" }, "done"],
  ])("%j is refused, and nothing is queued", async (draft, field) => {
    await using server = await open();
    expectProblem(await demand(server, draft), 422, field);
    expect(await searchRows(server)).toEqual([]);
  });

  test("is refused while the queue is full", async () => {
    // No machine has the queue: what its setting says of it.
    await using server = await open({ QUEUES: "work capacity=1" });
    const answers = await Promise.all(Array.from({ length: 50 }, () => demand(server, { add_up_to: 1_000_000 })));
    const refused = answers.find(({ status }) => status !== 201);
    if (!refused) throw new Error("none was refused");
    expect(Number(expectProblem(refused, 429) && refused.headers["retry-after"])).toBeGreaterThan(0);
  });
});

describe("a row", () => {
  test("of an id that there is not is 404; of an odd one 422", async () => {
    await using server = await open();
    for (const id of ["0", "1", "999999999999999"]) expectProblem(await ask(`${server.customers}/work/${id}`), 404);
    for (const id of ["x", "-1", "1.5", "01", "1e3", "9".repeat(16), "%00", "1%20"]) {
      expectProblem(await ask(`${server.customers}/work/${id}`), 422, "id");
    }
  });

  test("stands for each order of the queue, however it came, and shows no order's id", async () => {
    await using server = await open();
    const own = orderOf(await call(server, "work", { add_up_to: 10 }));
    expect(own).toMatchObject({ number: 1, result: 55, input: { add_up_to: 10 } });
    orderOf(await call(server, "work", { add_up_to: 3, work_code: "named" }));
    await demandRow(server, { add_up_to: 4 });
    await untilDone(server, 3);
    const rows = await searchRows(server);
    expect(rows.map(({ id, result }) => [id, result])).toEqual([
      [3, 10],
      [2, 6],
      [1, 55],
    ]);
    expect(rows.map(({ work_code }) => work_code.split("-")[0])).toEqual(["api", "named", "queue"]);
    expect(JSON.stringify(rows)).not.toContain(own.order_id);
  });
});

test("its events stand in the order's stream, between its start and its end", async () => {
  await using server = await open();
  const listener = await EventClient.open(`${server.baristas}/events`);
  const { order_id } = orderOf(await call(server, "work", { add_up_to: 10 }));
  await until(() => listener.types.includes("order.finished"), "the order is finished");
  expect(listener.types).toEqual([
    "order.placed",
    "order.started",
    "compute/start",
    "compute/stop",
    "compute/result",
    "order.finished",
  ]);
  const said = listener.events.filter(({ type }) => type.startsWith("compute/"));
  expect(said.map(({ data }) => (data as { data?: unknown }).data)).toEqual([
    { add_up_to: 10 },
    { add_up_to: 10 },
    { result: 55 },
  ]);
  for (const { data } of said) expect(data).toMatchObject({ order_id, queue: "work", status: "brewing" });
});

describe("a search", () => {
  test("finds by the beginning of codes, by time and by what is done, page by page", async () => {
    await using server = await open();
    const made: WireRow[] = [];
    for (const workCode of ["b-2", "a-1", "a-10", "a-1", "b"]) {
      made.push(await demandRow(server, { add_up_to: 1, work_code: workCode }));
    }
    for (const { id } of made) await untilDone(server, id);
    const idsOf = async (query: string): Promise<number[]> => (await searchRows(server, query)).map(({ id }) => id);
    expect(await idsOf("")).toEqual([5, 4, 3, 2, 1]);
    expect(await idsOf("work_code=a-1")).toEqual([2, 4, 3]);
    expect(await idsOf("work_code=b")).toEqual([5, 1]);
    expect(await idsOf("work_code=b-2")).toEqual([1]);
    expect(await idsOf("work_code=c")).toEqual([]);
    const [first, last] = [made[0]?.created_on ?? 0, made.at(-1)?.created_on ?? 0];
    expect(await idsOf(`from=${first}&to=${last + 1}`)).toEqual([5, 4, 3, 2, 1]);
    expect(await idsOf(`from=${last + 2}`)).toEqual([]);
    expect(await idsOf(`to=${first}`)).toEqual([]);
    expect(await idsOf("done=true")).toHaveLength(5);
    expect(await idsOf("done=false")).toEqual([]);
  });

  test.each(["", "work_code=p"])("goes through all of them once, a row a page (%s)", async (query) => {
    await using server = await open();
    for (let made = 0; made < 12; made += 1) await demandRow(server, { work_code: `p-${made % 3}` });
    const ids: number[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const answer = await ask(`${server.customers}/work/search?limit=1&${query}${cursor && `&cursor=${cursor}`}`);
      expectStatus(answer, 200);
      const page = answer.body as { rows: WireRow[]; cursor: string | null };
      ids.push(...page.rows.map(({ id }) => id));
      cursor = page.cursor;
    }
    expect(ids.toSorted((one, other) => one - other)).toEqual(Array.from({ length: 12 }, (_, at) => at + 1));
  });

  test.each(["work_code=a%20b", "from=x", "to=-1", "done=yes", "cursor=1", "limit=0", "limit=201"])(
    "%s is refused",
    async (query) => {
      await using server = await open();
      expectProblem(await ask(`${server.customers}/work/search?${query}`), 422, query.split("=")[0]);
    },
  );
});

test("its routes stand in the OpenAPI document of the customers' port, which is valid", async () => {
  await using server = await open();
  const { body } = await ask(`${server.customers}/swagger/json`);
  expect(await validate(body as Parameters<typeof validate>[0])).toMatchObject({ valid: true, warnings: [] });
  const document = body as {
    paths: Record<string, Record<string, { operationId: string; tags: string[] }>>;
    tags: { name: string }[];
  };
  expect(document.tags.map(({ name }) => name)).toContain("Work");
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
  const ids = operations.filter(({ tags }) => tags.includes("Work")).map(({ operationId }) => operationId);
  expect(ids.toSorted()).toEqual(["findWork", "placeWork", "searchWork"]);
  expect(Object.keys(document.paths)).toContain("/queue/work");
});

test("without WORK=on there is none of it", async () => {
  await using server = await MachineServer.open({ machines: [] });
  expectProblem(await demand(server), 404);
  expectProblem(await ask(`${server.customers}/work/1`), 404);
  expectProblem(await call(server, "work", { add_up_to: 1 }), 404);
});
