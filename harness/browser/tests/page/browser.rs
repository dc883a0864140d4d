//! A browser with one page, and what a person does with it and sees of it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use thirtyfour::common::capabilities::chromium::ChromiumLikeCapabilities as _;
use thirtyfour::error::WebDriverResult;
use thirtyfour::{
    By, Capabilities, ChromeCapabilities, DesiredCapabilities, Key, LoggingPrefsLogLevel, WebDriver,
};

use crate::http::Client;

/// For what is there at once where all is well; a browser on a busy computer is slow.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub name: &'static str,
    pub width: u32,
    pub height: u32,
    pub dark: bool,
}

pub const LIGHT: Look = Look { name: "light", width: 1280, height: 900, dark: false };
pub const DARK: Look = Look { name: "dark", dark: true, ..LIGHT };
pub const PHONE: Look = Look { name: "phone", width: 360, height: 740, dark: false };

/// Where cargo builds the workspace.
fn target() -> PathBuf {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    std::env::var_os("HANGPROOF_TEST_TARGET").map_or_else(usual, PathBuf::from)
}

/// `hangproof`, as the workspace has built it.
pub fn hangproof() -> Command {
    Command::new(target().join("debug/hangproof"))
}

/// Where pictures of what was seen are left.
pub fn pictures() -> PathBuf {
    target().join("page-pictures")
}

/// Cheap to clone: the same browser.
#[derive(Clone)]
pub struct Browser {
    driver: WebDriver,
    test: &'static str,
}

impl Browser {
    /// A fresh one, for the test of this name.
    pub async fn start(driver: &str, test: &'static str) -> Self {
        let driver = WebDriver::builder(driver, capabilities().expect("they are valid"))
            .client(Client)
            .connect()
            .await
            .expect("chromium starts: ci/setup.sh --browser installs it");
        let browser = Self { driver, test };
        browser.driver.set_script_timeout(Duration::from_secs(120)).await.expect("set");
        browser.look(LIGHT).await;
        browser
    }

    pub async fn quit(self) {
        self.driver.quit().await.expect("chromium ends");
    }

    pub async fn open(&self, url: &str) {
        self.driver.goto(url).await.expect("it opens");
    }

    pub async fn reload(&self) {
        self.driver.refresh().await.expect("it reloads");
    }

    pub async fn look(&self, look: Look) {
        let scheme = if look.dark { "dark" } else { "light" };
        self.cdp(
            "Emulation.setEmulatedMedia",
            json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]}),
        )
        .await;
        let phone = look.width < 600;
        let size =
            json!({"width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": phone});
        self.cdp("Emulation.setDeviceMetricsOverride", size).await;
    }

    async fn cdp(&self, method: &str, parameters: Value) -> Value {
        self.driver.cdp().send_raw(method, parameters).await.expect(method)
    }

    /// Runs a script in the page, from outside of what the page allows itself.
    pub async fn run(&self, script: &str) {
        self.driver.execute(script, []).await.expect("it runs");
    }

    /// What this expression is in the page.
    pub async fn value<T: DeserializeOwned>(&self, expression: &str) -> T {
        let value = self.driver.execute(format!("return ({expression});"), []).await;
        value.and_then(|value| value.convert()).unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// The same of a promise.
    pub async fn awaited<T: DeserializeOwned>(&self, expression: &str) -> T {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             Promise.resolve({expression}).then(done, (error) => done({{failed: String(error)}}));"
        );
        let value = self.driver.execute_async(script, []).await;
        value.and_then(|value| value.convert()).unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Waits in the page until this expression is true there; `what` is who fails where that is not within `patience`.
    pub async fn until_within(&self, patience: Duration, what: &str, expression: &str) {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             const late = performance.now() + {};
             const look = () => {{
               if ({expression}) done(true);
               else if (performance.now() > late) done(false);
               else setTimeout(look, 10);
             }};
             look();",
            patience.as_millis()
        );
        let seen = self.driver.execute_async(script, []).await.and_then(|value| value.convert::<bool>());
        if !seen.unwrap_or_else(|error| panic!("{what}: {error}")) {
            let picture = self.picture("missing").await;
            let text: String = self.value("document.body.innerText").await;
            panic!("{what}: not within {patience:?}. {} and this text:\n{text}", picture.display());
        }
    }

    pub async fn until(&self, what: &str, expression: &str) {
        self.until_within(PATIENCE, what, expression).await;
    }

    /// What this text in the page is, once it has come to rest: the same at so many looks that whatever was still to come would
    /// have. Looks are counted, not time: a browser that is held up makes none.
    pub async fn settled(&self, what: &str, expression: &str) -> String {
        let still = format!(
            "(() => {{
               const seen = {expression};
               window.looks = seen === window.looked ? (window.looks ?? 0) + 1 : 0;
               window.looked = seen;
               return window.looks > 75;
             }})()"
        );
        self.run("window.looks = 0; window.looked = undefined;").await;
        self.until(what, &still).await;
        self.value("window.looked").await
    }

    /// The text of the first element with this selector.
    pub async fn text(&self, selector: &str) -> String {
        self.value(&format!("document.querySelector({}).innerText", json!(selector))).await
    }

    /// Clicks as a mouse does: fails where something covers it.
    pub async fn click(&self, selector: &str) {
        let element =
            self.driver.find(By::Css(selector)).await.unwrap_or_else(|error| panic!("{selector}: {error}"));
        element.scroll_into_view().await.expect("it scrolls");
        element.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Keys, to whatever has the focus.
    pub async fn keys(&self, keys: &str) {
        self.driver.action_chain().send_keys(keys).perform().await.expect("typed");
    }

    pub async fn key(&self, key: Key) {
        self.driver.action_chain().send_keys(key).perform().await.expect("typed");
    }

    /// What is seen at the moment, as a file.
    pub async fn picture(&self, name: &str) -> PathBuf {
        let directory = pictures();
        std::fs::create_dir_all(&directory).expect("a directory");
        let path = directory.join(format!("{}-{name}.png", self.test));
        self.picture_at(&path).await;
        path
    }

    pub async fn picture_at(&self, path: &Path) {
        let picture = self.driver.screenshot_as_png().await.expect("a picture");
        std::fs::write(path, picture).expect("written");
    }

    /// The whole page, however high.
    pub async fn whole_picture(&self, name: &str, look: Look) -> PathBuf {
        let height: u32 = self.value("Math.ceil(document.documentElement.scrollHeight)").await;
        self.look(Look { height: height.clamp(look.height, 6000), ..look }).await;
        let path = self.picture(&format!("{name}-{}", look.name)).await;
        self.look(look).await;
        path
    }

    /// What the console has complained of since it was last asked.
    pub async fn complaints(&self) -> Vec<String> {
        let entries = self.driver.get_log("browser").await.expect("a log").into_iter();
        let bad = entries.filter(|entry| entry.level == "SEVERE" || entry.level == "WARNING");
        bad.map(|entry| format!("{}: {}", entry.source.unwrap_or_default(), entry.message)).collect()
    }

    /// Panics where the console has complained since it was last asked, or the page has asked for anything that is not below
    /// this address.
    pub async fn clean(&self, origin: &str) {
        let complaints = self.complaints().await;
        assert!(complaints.is_empty(), "the console complains:\n{}", complaints.join("\n"));
        let entries = self.driver.get_log("performance").await.expect("a log").into_iter();
        let messages = entries.map(|entry| serde_json::from_str::<Value>(&entry.message).expect("JSON"));
        let requests: Vec<String> = messages
            .map(|mut message| message["message"].take())
            .filter(|message| message["method"] == "Network.requestWillBeSent")
            .map(|message| message["params"]["request"]["url"].as_str().expect("an address").to_owned())
            .collect();
        assert!(!requests.is_empty(), "the page itself was asked for");
        let foreign: Vec<&String> =
            requests.iter().filter(|url| !url.starts_with(origin) && !url.starts_with("data:")).collect();
        assert!(foreign.is_empty(), "asked for elsewhere: {foreign:?}");
    }
}

fn capabilities() -> WebDriverResult<Capabilities> {
    let mut chrome: ChromeCapabilities = DesiredCapabilities::chrome();
    for argument in [
        "--headless=new",
        // Tests run as root, and show the browser nothing but what is of here.
        "--no-sandbox",
        "--disable-gpu",
        // That may be as small as a container's.
        "--disable-dev-shm-usage",
        "--force-color-profile=srgb",
        "--hide-scrollbars",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    ] {
        chrome.add_arg(argument)?;
    }
    chrome.set_logging_prefs("browser", LoggingPrefsLogLevel::All)?;
    chrome.set_logging_prefs("performance", LoggingPrefsLogLevel::All)?;
    Ok(chrome.into())
}
