/** The SDK as it is installed for the tests, for who does not stand below `test/`. */
export * from "@nktkas/hyperliquid";
