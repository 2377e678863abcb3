'use strict';
(() => {
  for (const time of document.querySelectorAll('time[datetime]')) {
    time.title = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: 'full', timeStyle: 'long' });
  }
  document.querySelector('.local').hidden = false;
  const filtered = (input, rows) => {
    const count = input.parentElement.querySelector('output');
    input.parentElement.hidden = false;
    input.addEventListener('input', () => {
      const wanted = input.value.toLowerCase();
      let shown = 0;
      for (const row of rows) {
        row.hidden = !row.textContent.toLowerCase().includes(wanted);
        if (!row.hidden) shown += 1;
      }
      count.textContent = wanted ? `${shown} of ${rows.length}` : '';
    });
  };
  for (const input of document.querySelectorAll('[data-filters]')) {
    filtered(input, Array.from(document.getElementById(input.dataset.filters).children));
  }
  // A line in a section that is folded is shown when something leads to it.
  const unfold = () => {
    const line = location.hash.startsWith('#log-') && document.getElementById(location.hash.slice(1));
    if (!line) return;
    for (let part = line.closest('details'); part; part = part.parentElement.closest('details')) part.open = true;
    line.scrollIntoView({ block: 'center' });
  };
  window.addEventListener('hashchange', unfold);
  unfold();
  const table = document.getElementById('objects-table');
  if (!table) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const heads = Array.from(table.tHead.rows[0].cells);
  const value = (row, column, numeric) => {
    const cell = row.cells[column];
    return numeric ? Number(cell.dataset.value) : cell.textContent;
  };
  heads.forEach((head, column) => {
    const numeric = head.dataset.kind === 'number';
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener('click', () => {
      const before = head.getAttribute('aria-sort');
      const up = before ? before === 'descending' : !numeric;
      heads.forEach((other) => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      rows.sort((one, other) => {
        const a = value(one, column, numeric);
        const b = value(other, column, numeric);
        const order = numeric ? a - b : a.localeCompare(b, 'en', { numeric: true });
        return up ? order : -order;
      });
      body.append(...rows);
    });
  });
  filtered(document.getElementById('filter'), rows);
})();
