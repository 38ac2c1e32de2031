interface KeptSeed {
  seed: number;
  bug: string;
  /** From before there were oddities: it runs without them. */
  isPlain?: true;
}

/** Every seed that ever failed, with the bug it found. They run with every test run, for ever. */
export const KEPT_SEEDS: readonly KeptSeed[] = [
  {
    seed: 5072,
    bug: "our clock jumped a minute ahead, and time that had not come yet was claimed as proven",
    isPlain: true,
  },
  {
    seed: 200440,
    bug: "orders that filled unseen and are no longer listed were only asked for by the database's own clock",
    isPlain: true,
  },
  {
    seed: 100536,
    bug: "two fills of one millisecond, there and back, were linked the wrong way round, and verify saw a position",
    isPlain: true,
  },
  {
    seed: 722455,
    bug: "a position that was closed while the process was away stayed open in the database for ever",
    isPlain: true,
  },
  {
    seed: 2000110,
    bug: "the millisecond of a history's first row, which the database had refused, was claimed as proven by a later commit",
  },
  {
    seed: 3000079,
    bug: "a TWAP slice that the database had refused came out of quarantine as another fill",
  },
  {
    seed: 3001051,
    bug: "a second look at a state failed while nothing waited for it yet, which ended the process",
  },
  {
    seed: 3000006,
    bug: "replaying the quarantine stored rows of a time that had not come",
  },
  {
    seed: 5000174,
    bug: "of a list whose oldest order was stamped two days ahead, all time up to then was called no longer listed",
  },
  {
    seed: 5000172,
    bug: "a row that was only counted, for there were too many in its minute, was said to be kept in quarantine",
  },
  {
    seed: 60000003,
    bug: "a list of vaults that `verify` had taken back was not asked for again by the process that follows",
  },
  {
    seed: 70000068,
    bug: "interest that was written while `verify` missed it was taken back, and not asked for again within the hour",
  },
];
