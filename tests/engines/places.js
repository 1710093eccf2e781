JSON.stringify([...document.querySelectorAll("h1, h2, h3, p, img, td.button")].map(element => {
  const {x, y, width, height} = element.getBoundingClientRect();
  const words = element.textContent.trim().slice(0, 40);
  return {name: `${element.tagName} ${words}`, x: x + scrollX, y: y + scrollY, width, height};
}))
