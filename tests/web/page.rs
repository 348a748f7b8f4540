//! The page of a small run: its numbers are the program's, on every runtime; it survives the loss of its GPU; it shows what
//! it should, obeys the keyboard and is accessible.

use crate::START;
use crate::chromium::{Chromium, Tab};
use crate::firefox::Firefox;
use crate::fixture::{Fixture, difference, fixture, shown};
use crate::process::find;
use crate::server::Server;
use image::{Rgb, RgbImage};
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// How long a page may compute.
const PATIENCE: Duration = Duration::from_secs(100);

fn serve(fixture: &Fixture) -> Server {
    let server = Server::start();
    server.folder("page", &fixture.page());
    server
}

/// The path of the page that runs `test` on the runtime `kind` and posts to `name`.
fn path(name: &str, kind: &str, test: &str) -> String {
    format!("/tests/web/losses.html?{name},{kind},{test}")
}

/// What the page posted to `name`.
fn posted(server: &Server, name: &str) -> Value {
    let body = server.posted(name, PATIENCE).unwrap_or_else(|| panic!("{name} does not answer"));
    let found: Value = serde_json::from_slice(&body).unwrap();
    assert!(found["error"].is_null(), "{name}: {}", found["error"].as_str().unwrap_or_default());
    found
}

/// Ten steps from first parameters, ten from the trained model, and the bound of held-out images.
#[test]
fn losses_are_those_of_the_program() {
    let fixture = fixture();
    let server = serve(fixture);
    let (anew, restored, elbo) = (fixture.losses(false, 10), fixture.losses(true, 10), fixture.elbo());
    let hold = |name: &str, kind: &str, tolerance: f64| {
        let found = posted(&server, name);
        assert_eq!(found["kind"], kind, "{name}");
        let worst = [difference(&found["anew"], &anew), difference(&found["restored"], &restored)];
        let bound = (found["evaluation"]["elbo"].as_f64().unwrap() - elbo).abs() / elbo.abs();
        println!("{name}: losses {:.1e} and {:.1e}, held-out bound {bound:.1e}", worst[0], worst[1]);
        assert!(
            worst[0] < tolerance && worst[1] < tolerance && bound < tolerance,
            "{name}: {worst:?} {bound}"
        );
    };
    let firefox = Firefox::start(&server.url(&path("firefox", "webgpu", "losses")));
    if let Some(browser) = Chromium::get() {
        for (kind, tolerance) in [("wasm", 1e-6), ("javascript", 5e-6), ("webgpu", 1e-6)] {
            let tab = browser.open(&server.url(&path(kind, kind, "losses")));
            hold(kind, kind, tolerance);
            assert_eq!(tab.messages(), Vec::<String>::new());
        }
    }
    if firefox.is_some() {
        hold("firefox", "webgpu", 1e-6);
    }
}

/// The page goes on without its GPU, from the parameters it had.
#[test]
fn the_loss_of_a_gpu_is_survived() {
    let Some(browser) = Chromium::get() else { return };
    let fixture = fixture();
    let server = serve(fixture);
    let _tab = browser.open(&server.url(&path("loss", "webgpu", "loss")));
    let found = posted(&server, "loss");
    assert_eq!(found["kind"], "wasm");
    assert_eq!(found["lost"], json!([found["why"]]));
    let steps: Vec<_> =
        found["anew"].as_array().unwrap().iter().map(|step| step["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, (1..=10).collect::<Vec<_>>());
    let worst = difference(&found["anew"], &fixture.losses(false, 10));
    assert!(worst < 1e-6, "{worst}");
}

/// The order of an epoch and uniform first parameters agree in every bit; normal ones within a unit in the last place.
#[test]
fn order_and_first_parameters_are_those_of_the_program() {
    let Some(browser) = Chromium::get() else { return };
    let fixture = fixture();
    let server = serve(fixture);
    let _tab = browser.open(&server.url(&path("random", "javascript", "random")));
    posted(&server, "random");
    let words = |part: &str| -> Vec<u32> {
        let bytes = server.posted(&format!("random.{part}"), START).unwrap();
        bytes
            .chunks_exact(4)
            .map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            .collect()
    };
    let steps = vae::train::Steps::of(&fixture.config, fixture.dataset.train.count);
    assert!(words("order") == steps.order(1), "the order of the second epoch differs");
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits);
    assert!(words("uniform").into_iter().eq(bits(fixture.first_parameters())), "first parameters differ");
    let normal = words("normal");
    let native: Vec<u32> = bits(fixture.first_normal(0.05)).collect();
    assert_eq!(normal.len(), native.len());
    let apart = normal.iter().zip(&native).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(apart <= Some(1), "{apart:?} units in the last place");
}

/// The class colours of `colours.js` where the posterior means are, and black between them.
#[test]
fn dots_are_in_place() {
    let Some(browser) = Chromium::get() else { return };
    let server = serve(fixture());
    for kind in ["webgpu", "wasm"] {
        // A page without the site's own, which would draw too.
        server.text(
            "/plane.html",
            "<!doctype html><base href=/page/><body style='margin:0'><canvas width=400 height=400>",
        );
        let tab = browser.open(&server.url("/plane.html"));
        tab.wait("document.querySelector('canvas')", START);
        let found = tab.evaluate(&format!(
            "(async () => {{
                const {{ Bundle }} = await import('/page/bundle.js');
                const {{ Session }} = await import('/page/session.js');
                const {{ CLASS_COLOURS }} = await import('/page/colours.js');
                const bundle = await Bundle.open();
                const session = await Session.open(bundle, {{ runtime: '{kind}' }});
                const plane = session.plane(document.querySelector('canvas'));
                const view = {{
                    side: 1, centre: [0, 0], span: 8, dims: [0, 1], base: new Float32Array(2),
                    cursor: new Float32Array(2), tiles: false, dots: true, hidden: new Set(),
                }};
                do {{
                    await plane.frame(view);
                }} while (plane.behind);
                const points = [...await plane.points([0, 1])];
                const range = [0, 1].map((axis) => {{
                    const values = points.filter((_, i) => i % 2 === axis);
                    return [Math.min(...values), Math.max(...values)];
                }});
                view.centre = range.map(([low, high]) => (low + high) / 2);
                view.span = Math.max(...range.map(([low, high]) => high - low));
                await plane.frame(view);
                await new Promise(requestAnimationFrame);
                await new Promise(requestAnimationFrame);
                window.kept = {{ session, plane }};
                const places = points.map((value, i) => (i % 2 ? -400 : 400) * (value - view.centre[i % 2]) / view.span + 200);
                return {{ places, labels: [...bundle.labels], colours: CLASS_COLOURS }};
            }})()"
        ));
        let picture = picture(&tab, &format!("dots-{kind}.png"));
        let number = |value: &Value| value.as_f64().unwrap();
        let places = found["places"].as_array().unwrap();
        let points: Vec<_> = places.chunks(2).map(|pair| [number(&pair[0]), number(&pair[1])]).collect();
        let mut seen = 0;
        for (i, [x, y]) in points.iter().enumerate() {
            let alone = points.iter().enumerate().all(|(j, [u, v])| j == i || (x - u).hypot(y - v) > 6.0);
            if !alone || !(4.0..396.0).contains(x) || !(4.0..396.0).contains(y) {
                continue;
            }
            let colour = &found["colours"][found["labels"][i].as_u64().unwrap() as usize % 12];
            let near =
                |pixel: &Rgb<u8>| (0..3).all(|c| (f64::from(pixel[c]) - number(&colour[c])).abs() < 40.0);
            assert!(
                near(picture.get_pixel(*x as u32, *y as u32)),
                "{kind}: dot {i} at {x:.0}, {y:.0} is not {colour}"
            );
            seen += 1;
        }
        assert!(seen > 20, "{kind}: {seen} dots of {} are alone", points.len());
        let lit = picture
            .enumerate_pixels()
            .filter(|(x, y, pixel)| *x < 400 && *y < 400 && pixel.0 != [0; 3])
            .count();
        assert!(lit < 160_000 * 9 / 10, "{kind}: {lit} pixels are lit");
    }
}

/// The page at `query`, opened, with nothing to complain about.
fn open(browser: &Arc<Chromium>, server: &Server, query: &str) -> Tab {
    let tab = browser.open(&server.url(&format!("/page/?{query}")));
    ready(&tab);
    tab
}

fn ready(tab: &Tab) {
    tab.wait(
        "document.body && !document.body.classList.contains('loading') && document.querySelector('#tiles')",
        PATIENCE,
    );
    // The first frames encode the held-out images.
    tab.wait("document.querySelector('#place').textContent", PATIENCE);
    tab.evaluate("new Promise((done) => setTimeout(done, 500))");
    assert_eq!(tab.messages(), Vec::<String>::new());
}

/// What the tab shows; the file is kept for people.
fn picture(tab: &Tab, name: &str) -> RgbImage {
    let png = tab.screenshot();
    std::fs::write(shown(name), &png).unwrap();
    image::load_from_memory(&png).unwrap().to_rgb8()
}

fn resize(tab: &Tab, width: u32, height: u32) {
    let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
    tab.call("Emulation.setDeviceMetricsOverride", size);
}

/// Decoded tiles are drawn, with and without WebGPU, in light and dark, on a desk and on a phone, where nothing is cut off.
#[test]
fn the_page_shows_the_latent_space() {
    let Some(browser) = Chromium::get() else { return };
    let server = serve(fixture());
    for (kind, scheme, width) in [("webgpu", "light", 1280), ("wasm", "dark", 1280), ("wasm", "light", 390)] {
        let tab = browser.open("about:blank");
        let feature = |name: &str, value: &str| json!({"name": name, "value": value});
        let features = [feature("prefers-color-scheme", scheme), feature("prefers-reduced-motion", "reduce")];
        tab.call("Emulation.setEmulatedMedia", json!({"features": features}));
        resize(&tab, width, 900);
        tab.call("Page.navigate", json!({"url": server.url(&format!("/page/?runtime={kind}"))}));
        ready(&tab);
        let name = format!("page-{kind}-{scheme}-{width}");
        let place = tab.evaluate(
            "(() => { const { x, y, width, height } = document.querySelector('#tiles').getBoundingClientRect();
                return [x, y, width, height]; })()",
        );
        let whole = picture(&tab, &format!("{name}.png"));
        let side = |i: usize| place[i].as_f64().unwrap().max(0.0) as u32;
        let height = side(3).min(whole.height() - side(1));
        let plane = image::imageops::crop_imm(&whole, side(0), side(1), side(2), height).to_image();
        // Digits are bright strokes on black.
        let share = |wanted: fn(u8) -> bool| {
            let count =
                plane.pixels().filter(|pixel| wanted(pixel.0.iter().copied().max().unwrap_or(0))).count();
            count as f64 / f64::from(plane.width() * plane.height())
        };
        let (dark, bright) = (share(|value| value < 60), share(|value| value > 120));
        assert!(dark > 0.1 && bright > 0.02, "{name}: {dark:.3} of the plane is dark, {bright:.3} bright");
        let ground = whole.get_pixel(2, 2).0;
        let is_dark = ground.iter().all(|value| *value < 100);
        assert_eq!(is_dark, scheme == "dark", "{name}: the ground is {ground:?}");
        let overflow = tab.evaluate("document.documentElement.scrollWidth - innerWidth");
        assert!(overflow.as_f64() <= Some(0.0), "{name}: {overflow} pixels are cut off");
    }
}

/// Arrow keys on the plane's sliders move the cursor; keys of the page train.
#[test]
fn the_keyboard_drives_the_page() {
    let Some(browser) = Chromium::get() else { return };
    let server = serve(fixture());
    let tab = open(&browser, &server, "runtime=wasm&z=0,0");
    let place = || tab.evaluate("document.querySelector('#place').textContent");
    let before = place();
    tab.evaluate("document.querySelector('#plane-x').focus()");
    let mut places = vec![before];
    for key in ["ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown"] {
        tab.key(key);
        tab.wait(
            &format!("document.querySelector('#place').textContent !== {}", places[places.len() - 1]),
            START,
        );
        places.push(place());
    }
    assert_eq!(places[0], places[4], "{places:?}");
    let step = || tab.evaluate("document.querySelector('#figures').textContent");
    let before = step();
    tab.key(".");
    tab.wait(&format!("document.querySelector('#figures').textContent !== {before}"), START);
    assert_eq!(tab.messages(), Vec::<String>::new());
}

/// One file that opens by a double click, with its worker and its content security policy.
#[test]
fn one_file_holds_the_page() {
    let Some(browser) = Chromium::get() else { return };
    let tab = browser.open(&format!("file://{}", fixture().single().display()));
    ready(&tab);
    assert!(
        tab.evaluate("document.querySelector('#runtime').textContent")
            .as_str()
            .is_some_and(|name| !name.is_empty())
    );
}

/// axe-core finds no serious or critical fault, in the page as it opens and with all that is folded.
#[test]
fn the_page_is_accessible() {
    let (Some(browser), Some(axe)) = (Chromium::get(), axe()) else { return };
    let server = serve(fixture());
    for scheme in ["light", "dark"] {
        let tab = open(&browser, &server, &format!("runtime=wasm&theme={scheme}&z=0,0"));
        tab.evaluate(&axe);
        tab.evaluate("document.querySelectorAll('details').forEach((part) => (part.open = true))");
        let found = tab.evaluate(
            "axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations
                .filter(({ impact }) => impact === 'serious' || impact === 'critical')
                .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' ')}`))",
        );
        assert_eq!(found, json!([]), "{scheme}");
    }
}

/// The source of axe-core, which npm installs into the target folder. Where it cannot, prints SKIPPED and returns `None`.
fn axe() -> Option<String> {
    let Some(npm) = find(&["npm"]) else {
        println!("SKIPPED: no npm");
        return None;
    };
    let folder = shown("npm");
    let source = folder.join("node_modules/axe-core/axe.min.js");
    std::fs::create_dir_all(&folder).unwrap();
    let mut same = source.is_file();
    for name in ["package.json", "package-lock.json"] {
        let wanted = std::fs::read(format!("{}/tests/web/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        same &= std::fs::read(folder.join(name)).is_ok_and(|present| present == wanted);
        std::fs::write(folder.join(name), wanted).unwrap();
    }
    if !same {
        let mut command = Command::new(npm);
        command.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&folder);
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !status.is_ok_and(|status| status.success()) {
            println!("SKIPPED: npm cannot install axe-core");
            return None;
        }
    }
    Some(std::fs::read_to_string(source).unwrap())
}
