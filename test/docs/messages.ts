/**
 * Owns how tests know every line that the server can print: from the calls in `src/` that print one.
 *
 * **Invariants**
 * - What a line is given stands in it as `…`.
 * - Each way to say a line is a line of its own.
 * - A call whose text can't be worked out throws: no line is left out in silence.
 */
import { join } from "node:path";
import ts from "typescript";

const LEVELS = new Set(["trace", "debug", "info", "warn", "error", "fatal"]);
const GIVEN = "…";
/** Messages of errors that are made in another file than the one that logs them. */
const ELSEWHERE: Readonly<Record<string, string>> = { "failure.message": "src/lifecycle.ts" };

/** A line of the log, or one that ends the start (`level` is empty). */
export interface Message {
  readonly level: string;
  readonly text: string;
  /** `src/main.ts:186` */
  readonly location: string;
}

interface Source {
  readonly path: string;
  readonly file: ts.SourceFile;
}

/** Every line that is logged by a call of a log's method, and every text that a StartError is made with. */
export async function collectMessages(root: string): Promise<{ logged: Message[]; refusals: Message[] }> {
  const sources = await readSources(root);
  const logged: Message[] = [];
  const refusals: Message[] = [];
  for (const source of sources) {
    forEachNode(source.file, (node) => {
      const location = `${source.path}:${source.file.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
      const level = levelOf(node);
      if (level !== undefined && ts.isCallExpression(node)) {
        const said = node.arguments.at(-1);
        for (const text of textsOf(said, sources, location)) logged.push({ level, text, location });
      }
      if (makesStartError(node)) {
        for (const text of textsOf(node.arguments?.[0], sources, location))
          refusals.push({ level: "", text, location });
      }
    });
  }
  return { logged, refusals };
}

async function readSources(root: string): Promise<Source[]> {
  const paths = [...new Bun.Glob("src/**/*.ts").scanSync(root)].filter((path) => !path.startsWith("src/web/"));
  return await Promise.all(
    paths.toSorted().map(async (path) => {
      const text = await Bun.file(join(root, path)).text();
      return { path, file: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) };
    }),
  );
}

function forEachNode(node: ts.Node, look: (node: ts.Node) => void): void {
  look(node);
  node.forEachChild((child) => forEachNode(child, look));
}

/** The level of `log.warn(…)`, `this.#log.warn(…)` and the like; undefined of anything else. */
function levelOf(node: ts.Node): string | undefined {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return undefined;
  const { name, expression } = node.expression;
  return LEVELS.has(name.text) && /(^|[.#])log$/.test(expression.getText()) ? name.text : undefined;
}

/** `new StartError(…)`, and `super(…)` in a class that extends it. */
function makesStartError(node: ts.Node): node is ts.NewExpression | ts.CallExpression {
  if (ts.isNewExpression(node)) return node.expression.getText() === "StartError";
  if (!ts.isCallExpression(node) || node.expression.kind !== ts.SyntaxKind.SuperKeyword) return false;
  const made = ts.findAncestor(node, ts.isClassLike)?.heritageClauses ?? [];
  return made.some((clause) => clause.getText() === "extends StartError");
}

/** All that an expression may say; none where it is `undefined`. */
function textsOf(said: ts.Expression | undefined, sources: readonly Source[], location: string): string[] {
  const found = said && readTexts(said, sources);
  if (!found) throw new Error(`what ${location} says can't be worked out`);
  return found;
}

function readTexts(said: ts.Expression, sources: readonly Source[]): string[] | undefined {
  if (said.getText() === "undefined") return [];
  if (ts.isStringLiteralLike(said)) return [said.text];
  if (ts.isParenthesizedExpression(said)) return readTexts(said.expression, sources);
  if (ts.isTemplateExpression(said)) return readTemplate(said, sources);
  if (ts.isConditionalExpression(said)) return readAll([said.whenTrue, said.whenFalse], sources);
  if (ts.isBinaryExpression(said)) {
    const [left, right] = [readTexts(said.left, sources), readTexts(said.right, sources)];
    return left && right && combine(left, right);
  }
  if (ts.isIdentifier(said)) {
    const value = findVariable(said);
    return value && readTexts(value, sources);
  }
  if (ts.isCallExpression(said)) return readAll(findReturns(said.expression.getText(), sources), sources);
  const errors = ELSEWHERE[said.getText()];
  return errors === undefined ? undefined : readAll(findErrors(errors, sources), sources);
}

function readTemplate({ head, templateSpans }: ts.TemplateExpression, sources: readonly Source[]): string[] {
  return templateSpans.reduce(
    (texts, { expression, literal }) => {
      // A name may stand for more text; anything else is what the line is given.
      const given = (ts.isIdentifier(expression) && readTexts(expression, sources)) || [GIVEN];
      return combine(texts, combine(given, [literal.text]));
    },
    [head.text],
  );
}

/** What any of these may say; undefined where one of them can't be worked out, or there is none. */
function readAll(expressions: readonly ts.Expression[], sources: readonly Source[]): string[] | undefined {
  const read = expressions.map((expression) => readTexts(expression, sources));
  return read.length === 0 || read.includes(undefined) ? undefined : read.flatMap((texts) => texts ?? []);
}

function combine(befores: readonly string[], afters: readonly string[]): string[] {
  return befores.flatMap((before) => afters.map((after) => before + after));
}

/** What a constant is set to, in the nearest block around its use. */
function findVariable(use: ts.Identifier): ts.Expression | undefined {
  for (let block: ts.Node = use.parent; !ts.isSourceFile(block); block = block.parent) {
    for (const statement of ts.isBlock(block.parent) || ts.isSourceFile(block.parent) ? block.parent.statements : []) {
      if (!ts.isVariableStatement(statement)) continue;
      const declared = statement.declarationList.declarations.find(({ name }) => name.getText() === use.text);
      if (declared) return declared.initializer;
    }
  }
  return undefined;
}

/** All that a function of this name returns. */
function findReturns(name: string, sources: readonly Source[]): ts.Expression[] {
  const found: ts.Expression[] = [];
  for (const { file } of sources) {
    forEachNode(file, (node) => {
      if (!ts.isFunctionDeclaration(node) || node.name?.text !== name) return;
      forEachNode(node, (inner) => {
        if (ts.isReturnStatement(inner) && inner.expression) found.push(inner.expression);
      });
    });
  }
  return found;
}

/** What each `new Error(…)` of a file is made with. */
function findErrors(path: string, sources: readonly Source[]): ts.Expression[] {
  const found: ts.Expression[] = [];
  const source = sources.find((each) => each.path === path);
  if (!source) throw new Error(`there is no ${path}`);
  forEachNode(source.file, (node) => {
    const text = ts.isNewExpression(node) && node.expression.getText() === "Error" ? node.arguments?.[0] : undefined;
    if (text) found.push(text);
  });
  return found;
}
