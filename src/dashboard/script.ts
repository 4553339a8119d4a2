/** What pages do besides, where scripts run: fresh times, copy buttons, live parts. Nothing depends on it. */
export const SCRIPT = /* js */ `
(() => {
  'use strict'
  const steps = [[60, 1, 's'], [3600, 60, 'min'], [86400, 3600, 'h'], [Infinity, 86400, 'd']]
  const offset = Date.parse(document.documentElement.dataset.now) - Date.now()
  const age = (instant) => {
    const seconds = Math.round((Date.now() + offset - instant) / 1000)
    if (seconds < 10) return 'just now'
    const [, unit, name] = steps.find(([below]) => seconds < below)
    return Math.floor(seconds / unit) + ' ' + name + ' ago'
  }
  const tell = () => {
    for (const mark of document.querySelectorAll('[data-following]')) mark.hidden = false
    for (const time of document.querySelectorAll('time[data-age]')) time.textContent = age(Date.parse(time.dateTime))
    tellLocal()
  }
  const tellLocal = () => {
    const time = document.querySelector('time[data-local]')
    const at = time && new Date(time.dateTime)
    if (!at || at.getTimezoneOffset() === 0 || time.dataset.local) return
    time.dataset.local = at.toTimeString().slice(0, time.textContent.split(':').length > 2 ? 8 : 5)
    time.prepend(time.dataset.local + ' local, ')
  }
  const copy = async (button, text) => {
    await navigator.clipboard.writeText(text)
    if (button.textContent === 'Copied') return
    const label = button.getAttribute('aria-label')
    const name = button.textContent
    button.textContent = 'Copied'
    button.setAttribute('aria-label', label.replace('Copy', 'Copied'))
    setTimeout(() => {
      button.textContent = name
      button.setAttribute('aria-label', label)
    }, 2000)
  }
  const addCopyButtons = (root) => {
    if (!navigator.clipboard) return
    for (const box of root.querySelectorAll('[data-copy]')) {
      const code = box.querySelector('code')
      const text = code.textContent
      for (const mark of code.querySelectorAll('[data-secret]')) {
        if (mark.textContent.length > 16) mark.textContent = mark.textContent.slice(0, 8) + '…' + mark.textContent.slice(-4)
      }
      const button = document.createElement('button')
      button.type = 'button'
      button.className = 'minor'
      button.textContent = box.dataset.label || 'Copy'
      button.setAttribute('aria-label', 'Copy ' + box.dataset.copy)
      button.addEventListener('click', () => copy(button, text).catch(() => { button.textContent = 'Could not copy' }))
      box.prepend(button)
    }
  }
  const stateOf = (part) => part.dataset.state
  const isBusy = (part) => part.contains(document.activeElement) && document.activeElement !== document.body || part.querySelector('details[open]') !== null
  const refresh = async () => {
    if (document.hidden) return false
    const response = await fetch(location.href, { headers: { Accept: 'text/html' } })
    if (!response.ok || response.redirected) return true
    const fresh = new DOMParser().parseFromString(await response.text(), 'text/html')
    for (const part of document.querySelectorAll('[data-live]')) {
      const next = fresh.getElementById(part.id)
      if (!next || stateOf(next) === stateOf(part) || isBusy(part)) continue
      part.replaceWith(next)
      addCopyButtons(next)
      const status = document.getElementById('status')
      if (status) status.textContent = next.dataset.live
    }
    tell()
    return false
  }
  const move = (step) => {
    const hits = [...document.querySelectorAll('.hit')]
    hits[Math.max(0, Math.min(hits.length - 1, hits.indexOf(document.activeElement) + step))]?.focus()
  }
  document.addEventListener('keydown', (event) => {
    const search = document.getElementById('search')
    if (event.ctrlKey || event.metaKey || event.altKey || !search) return
    const isTyping = event.target.closest('input:not(#search), textarea, select')
    if (event.key === '/' && !isTyping && event.target !== search) { event.preventDefault(); search.select() }
    else if (event.key === 'Escape' && event.target === search) search.blur()
    else if (!isTyping && document.querySelector('.hit') && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      event.preventDefault()
      move(event.key === 'ArrowDown' ? 1 : -1)
    }
  })
  const startedAt = Date.now()
  const isAwaited = () => document.querySelector('[data-soon]') !== null && Date.now() - startedAt < 600000
  const follow = () => setTimeout(async () => { if (!await refresh().catch(() => false)) follow() }, isAwaited() ? 2000 : 15000)
  tell()
  addCopyButtons(document)
  setInterval(tell, 15000)
  if (document.querySelector('[data-live]')) follow()
})()
`
