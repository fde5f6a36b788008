/** Registers the dashboard strategy `custom:mediarip`. */
export {};
