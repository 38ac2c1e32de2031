/** Files that the package holds beside its program: found from the sources as from the bundle, whatever folder their code is in. */
import { existsSync } from "node:fs";

function packageAbove(folder: URL): URL {
  if (existsSync(new URL("package.json", folder))) return folder;
  const above = new URL("..", folder);
  if (above.href === folder.href)
    throw new Error("the package of hlsync is not whole: no package.json above it");
  return packageAbove(above);
}

const PACKAGE = packageAbove(new URL(".", import.meta.url));

/** `path` is below the folder of the package; of a folder with a slash at its end. */
export const packageFile = (path: string): URL => new URL(path, PACKAGE);
