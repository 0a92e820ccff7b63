/** Owns the name of this version. */
export { version } from "../package.json" with { type: "json" };
