/** @type {import('next').NextConfig} */
export default {
  output: 'standalone',
  outputFileTracingRoot: import.meta.dirname, // this folder is the app, whatever lies around it
  poweredByHeader: false,
  images: { unoptimized: true }, // there are none to resize, so the server goes without sharp
  outputFileTracingExcludes: { '*': ['node_modules/sharp/**', 'node_modules/@img/**'] },
};
