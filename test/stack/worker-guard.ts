// Loaded into wrangler, which leads a process group of its own: it does not outlive an `npm run dev` that was killed.
const starter = Number(process.env['NOCTUARY_STARTER'])
// What wrangler starts is of its group.
delete process.env['NOCTUARY_STARTER']

if (starter > 0) {
  const timer = setInterval(() => {
    if (process.ppid !== starter) process.kill(-process.pid, 'SIGKILL')
  }, 500)
  timer.unref()
}
