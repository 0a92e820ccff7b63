/**
 * Owns the fonts that pages are tried in, as a system's own font is one of these on most Linux machines. They come as
 * packages.
 */
import { join } from "node:path";
import type { Page } from "playwright-core";

/** The family that Chromium names for each. Arimo is Liberation Sans under its first name, with the same outlines. */
export const FONTS = { noto: "Noto Sans", dejavu: "DejaVu Sans", liberation: "Arimo" } as const;
export type Font = keyof typeof FONTS;

/** What to start a browser with so that it has this font only. */
export function fontEnvironment(font: Font): Readonly<Record<string, string>> {
  return { FONTCONFIG_FILE: join(import.meta.dir, "fonts", `${font}.conf`) };
}

/** The families that the text of an element is drawn in. */
export async function familiesOf(page: Page, selector: string): Promise<readonly string[]> {
  const session = await page.context().newCDPSession(page);
  await session.send("DOM.enable");
  await session.send("CSS.enable");
  const { root } = await session.send("DOM.getDocument");
  const { nodeId } = await session.send("DOM.querySelector", { nodeId: root.nodeId, selector });
  const { fonts } = await session.send("CSS.getPlatformFontsForNode", { nodeId });
  await session.detach();
  return fonts.map(({ familyName }) => familyName);
}
