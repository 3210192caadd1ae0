// Style sheets are bundled by esbuild next to the script; to the compiler they are imports without a value.
declare module "*.css";
