/** What this process and the accounts of its options are called. */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Aliases } from "../outputs/eventText.ts";
import type { Context } from "./command.ts";

/** Names this process among those that share a database. */
export const holderName = (): string => `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`;

export const aliasesOf = ({ account }: Context["options"]): Aliases =>
  new Map(account.flatMap(({ address, alias }) => (alias === null ? [] : [[address, alias] as const])));
