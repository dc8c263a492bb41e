/** The release that this process runs: set by the deployment, never baked into the image. */
export function release(env = process.env) {
  return {
    sha: env.RELEASE_SHA || 'unknown',
    environment: env.ENVIRONMENT || 'development',
  };
}
