/** graphql-yoga under the types that `yoga.d.ts` gives it. */
export { createYoga } from "graphql-yoga";
