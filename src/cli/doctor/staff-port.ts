/**
 * Owns the check of the baristas' port: whether it answers, and takes the token.
 *
 * **Invariants**
 * - Nothing is changed there, and the token is not printed.
 */
import { Findings, rounded, time, type Finding } from "./finding.ts";
import { ask, described, member } from "./http.ts";
import type { Targets } from "./targets.ts";

const port = new Findings("baristas-port");

export async function checkStaffPort(targets: Targets & { staffUrl: string }): Promise<Finding> {
  const { staffUrl, token, certificate, signal } = targets;
  const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await ask(`${staffUrl}/queue`, { headers, certificate, signal });
  const values = { status: answer.status, took_ms: rounded(answer.tookMs) };
  if (answer.status === 401) {
    const advice = "give the right token with --token, or in STAFF_TOKEN";
    return port.fault("it refused the token", advice, values);
  }
  if (answer.status !== 200) {
    return port.fault(`GET /queue was answered with ${described(answer)}`, "look at the server's log", values);
  }
  const damaged = Number(member(answer.text, "damaged") ?? 0);
  if (damaged > 0) {
    const advice = "look at GET /damaged, and put them right in Redis";
    return port.warning(`it answers in ${time(answer.tookMs)}; ${damaged} orders are damaged`, advice, {
      ...values,
      damaged,
    });
  }
  const held = Number(member(answer.text, "held") ?? 0);
  return port.ok(`it answers in ${time(answer.tookMs)}; ${held} customers are held`, { ...values, held });
}
