/** The site's icon, for browsers' tabs. */
export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#232a4d"/><path d="M21 6a11 11 0 1 0 5 15A9 9 0 0 1 21 6Z" fill="#f3e6bd"/></svg>`
