/** A module for it alone: yaml is CommonJS, of which a dynamic import in a bundle has a default export only. */
export { parse } from "yaml";
