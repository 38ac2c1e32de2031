/** `completion`: a script for the shell on stdout. */
import { ConfigError } from "../../errors.ts";
import { type Command, EXIT } from "../command.ts";
import { completionScript, SHELLS } from "../completion.ts";

export const completion: Command = {
  name: "completion",
  args: "<shell>",
  summary: `completion for ${SHELLS.join(", ")}: source <(hlsync completion bash)`,
  options: [],
  async run({ args, printScript, commands }) {
    const shell = SHELLS.find((name) => name === args[0]);
    if (shell === undefined)
      throw new ConfigError(
        `completion ${JSON.stringify(args[0] ?? "")}: expected one of ${SHELLS.join(", ")}`,
      );
    printScript(completionScript(shell, await commands()));
    return EXIT.ok;
  },
};
