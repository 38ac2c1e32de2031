/** Waits for all, whatever becomes of them; then throws the first failure, if any. */
export async function allOf(parts: readonly (Promise<unknown> | null)[]): Promise<void> {
  const failed = (await Promise.allSettled(parts)).find((part) => part.status === "rejected");
  if (failed) throw failed.reason;
}
