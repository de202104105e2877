import time
def test_probe(staff, shop):
    slot = shop.running_session()
    for name in ("Due Dilly", "Arrived Ann", "Inside Ian", "Outside Otto", "Missing Mo"):
        shop.book(slot, name)
    page = staff(reduced_motion="reduce")
    page.goto(slot.roster)
    t=time.time()
    def press(name, button, state):
        row = page.locator(".rs").filter(has_text=name)
        if button == "No-show":
            row.locator("summary").click()
        row.get_by_role("button", name=button).click()
        print(name, button, round(time.time()-t,2))
        page.wait_for_selector(f".rs.is-{state}:has-text('{name}')")
        print("  state", round(time.time()-t,2))
    press("Arrived Ann", "Check in", "arrived")
    page.screenshot(path="/tmp/shots/a.png")
    press("Outside Otto", "Check in", "arrived")
    press("Inside Ian", "Check in", "arrived")
    page.screenshot(path="/tmp/shots/b.png")
    press("Missing Mo", "No-show", "noshow")
    page.screenshot(path="/tmp/shots/c.png")
    assert 0
def test_axe_alive(visitor, shop):
    from axe_playwright_python.base import AXE_SCRIPT
    page = visitor(); page.goto("/stillwater-bath/book/thermal-circuit")
    page.evaluate("document.querySelectorAll('.day .p').forEach(e=>e.style.color='#777'); document.querySelector('.btn').innerHTML=''; document.querySelector('.btn').removeAttribute('aria-label')")
    page.evaluate(AXE_SCRIPT)
    for s in ("light","dark"):
        page.emulate_media(color_scheme=s)
        r = page.evaluate("(w)=>axe.run(document,{resultTypes:['violations'],runOnly:w})", {"type":"tag","values":["wcag2a","wcag2aa"]} if s=="light" else {"type":"rule","values":["color-contrast"]})
        print(s,[(v["id"],len(v["nodes"])) for v in r["violations"]], len(r["passes"]), len(r["incomplete"]), [(v["id"],len(v["nodes"])) for v in r["incomplete"]])
    assert 0
