/** The documents for people lead to each other, and to the files that they name. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "bun:test";
import { ROOT } from "./documents.ts";

const OTHERS = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "bench/README.md", "deploy/README.md"];
const DOCUMENTS = OTHERS.concat([...new Bun.Glob("docs/*.md").scanSync(ROOT)].toSorted());

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** Text without what stands in fences and in code: no link is meant there. */
function withoutCode(text: string): string {
  return text.replaceAll(/^```.*?^```/gms, "").replaceAll(/`[^`\n]*`/g, "code");
}

/** The links of a text, without those to other sites. */
function linksIn(text: string): string[] {
  const links = Array.from(
    withoutCode(text).matchAll(/\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$/gm),
    ([, inline, below]) => inline ?? below ?? "",
  );
  return links.filter((link) => !/^https?:/.test(link));
}

/** The anchors of a text's headings, as GitHub makes them. */
function anchorsIn(text: string): string[] {
  const headings = text.replaceAll(/^```.*?^```/gms, "").matchAll(/^#+ (.+)$/gm);
  return Array.from(headings, ([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(/\s/g, "-"),
  );
}

describe.each(DOCUMENTS)("%s", (document) => {
  test("leads to files and headings that are there", () => {
    const text = read(document);
    const broken = linksIn(text).filter((link) => {
      const [path = "", anchor] = link.split("#", 2);
      const target = path === "" ? document : join(dirname(document), path);
      if (!existsSync(join(ROOT, target))) return true;
      return anchor !== undefined && !anchorsIn(read(target)).includes(anchor);
    });
    expect(broken).toEqual([]);
  });
});

test("the glossary explains each term once", () => {
  const terms = Array.from(read("docs/glossary.md").matchAll(/^\| \*\*(.+?)\*\* /gm), ([, term = ""]) =>
    term.toLowerCase(),
  );
  expect(terms.length).toBeGreaterThan(50);
  expect(terms.filter((term, index) => terms.indexOf(term) !== index)).toEqual([]);
});

test("README.md is short", () => {
  expect(read("README.md").split("\n").length).toBeLessThan(120);
});
