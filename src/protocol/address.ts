/** What an address looks like. */
export const ADDRESS = /^0x[0-9a-fA-F]{40}$/;

export const isAddress = (text: string): boolean => ADDRESS.test(text);
