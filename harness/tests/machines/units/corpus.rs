//! The units: some written, each for a rule of systemd's, and some made of pieces.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use watchdog::unit::Unit;

use super::below;

const ETC: &str = "/etc/systemd/system";
const RUN: &str = "/run/systemd/system";
const USR: &str = "/usr/local/lib/systemd/system";
const MADE: usize = 300;

/// Puts all of them into the machine's tree, and says their names.
pub fn write(tree: &Path, seed: u64, version: u32) -> Vec<String> {
    // %V is none where this is missing.
    fs::create_dir_all(below(tree, "/var/tmp")).expect("a directory");
    let mut names: Vec<String> = WRITTEN
        .iter()
        .enumerate()
        .filter(|(_, texts)| !(version <= 247 && ENDS_247.contains(&texts[0])))
        .map(|(index, texts)| {
            let name = format!("w{index:03}.service");
            put(tree, &format!("{USR}/{name}"), texts[0].as_bytes());
            for (number, text) in texts[1..].iter().enumerate() {
                put(tree, &format!("{ETC}/{name}.d/{number}.conf"), text.as_bytes());
            }
            name
        })
        .collect();
    names.extend(odd(tree));
    names.extend(found_by_name(tree));
    let mut random = ChaCha12Rng::seed_from_u64(seed);
    names.extend((0..MADE).map(|index| make(tree, index, &mut random)));
    names
}

/// What a unit is made of, for who reads of a difference.
pub fn describe(unit: &Unit) -> String {
    let files = unit.files.iter().map(|file| format!("{}: {:?}", file.path.display(), file.text));
    let text = files.collect::<Vec<_>>().join("; ");
    text.chars().take(2000).collect()
}

fn put(tree: &Path, path: &str, content: &[u8]) {
    let path = below(tree, path);
    fs::create_dir_all(path.parent().expect("it has one")).expect("a directory");
    fs::write(path, content).expect("a file");
}

fn link(tree: &Path, target: &str, path: &str) {
    let path = below(tree, path);
    fs::create_dir_all(path.parent().expect("it has one")).expect("a directory");
    symlink(target, path).expect("a link");
}

/// PID 1 itself ends when it is asked for one of these, up to version 247.
const ENDS_247: [&str; 1] = ["[Service]\nType=dbus\nExecStart=/bin/a\n"];

/// The unit's own file, then drop-ins in /etc.
const WRITTEN: &[&[&str]] = &[
    &["[Service]\nExecStart=/bin/a b c\n"],
    // B7, B8 and B11 of what went wrong once.
    &["[Service]\nExecStart=/bin/old\n", "\u{feff}[Service]\nExecStart=\nExecStart=/bin/new\n"],
    &["[Service]\nExecStart=/bin/a\nEnvironment=P=c:\\\\\nKillSignal=SIGQUIT\n"],
    &["[Service]\nExecStart=/bin/a c:\\\\\nKillSignal=SIGQUIT\n"],
    &["[Service]\nType=forking\nExecStart=/bin/a\n", "[Service]\nType=\n"],
    &["[Service]\nExecStart=/bin/a\n", "ExecStart=\nExecStart=/bin/b\n"],
    &["\u{feff}[Service]\nExecStart=/bin/a\n"],
    &["[Unit]\n\u{feff}[Service]\nExecStart=/bin/a\n\u{feff}Restart=always\nType=exec\n"],
    &["\u{feff}# comment\n[Service]\nExecStart=/bin/a\n"],
    &["[Service]\r\nExecStart=/bin/a b\r\nRestart=always\r\n"],
    &["[Service]\rExecStart=/bin/a\rRestart=always"],
    &["[Service]\0ExecStart=/bin/a\0Restart=always\0\0Type=exec"],
    &["[Service]\nExecStart=/bin/a \\\n  b \\\n# comment \\\n; comment\n  c\nRestart=always\n"],
    &["[Service]\nExecStart=/bin/a \\\n\nRestart=always\n"],
    &["[Service]\nExecStart=/bin/a \\\\\\\nRestart=always\n"],
    &["[Service]\nExecStart=/bin/a \\ \nRestart=always\n"],
    &["[Service]\nRestart=always\nExecStart=/bin/a \\"],
    &["[Service]\nExecStart=/bin/a\n# Restart=always \\\nRestart=no\n"],
    &["[Service]\nExecStart=/bin/a # b\nRestart=always # c\n"],
    &["  [Service]  \n  ExecStart  =  /bin/a  b  \n\tRestart\t=\talways\t\n"],
    &[
        "[Service]\nExecStart=/bin/a\n[X-Other]\nRestart=always\n[Service]\nType=exec\n[Other]\nKillMode=process\n",
    ],
    &["[Service]\nExecStart=/bin/a\n[Unit]\nRestart=always\n[service]\nKillMode=process\n"],
    &["Restart=always\n[Service]\nExecStart=/bin/a\n"],
    &["[Service]\nExecStart=/bin/a\n[Service\nRestart=always\n"],
    &["[Service]\nExecStart=/bin/a\n", "[Service]\nRestart=always\n[Service\nKillMode=process\n"],
    &["[Service]\nExecStart=/bin/a\n", "[Service]\nRestart=always\n[Ser\"vice]\nKillMode=process\n"],
    &["[Service]\nExecStart=/bin/a\nnonsense\n=x\nRestart=always\n"],
    &["[Service] # x\nExecStart=/bin/a\n"],
    // Words.
    &["[Service]\nExecStart=/bin/a 'b c' \"d\\\"e\" '' x'y z'w \\x41\\101 \\u00e4 \\s \\t\n"],
    &["[Service]\nExecStart=/bin/a 'b\n"],
    &["[Service]\nExecStart='/bin/a b\n"],
    &["[Service]\nExecStart=-/bin/a 'b\nExecStart=/bin/b\n"],
    &["[Service]\nExecStart=/bin/a b\\d '\\q' \\x4 \\400 \\u12\n"],
    &["[Service]\nExecStart=/bin/a b\\\\ c\n"],
    &["[Service]\nExecStart=\"/opt/my tools/a\" b\n"],
    &["[Service]\nExecStart=\"-/opt/my tools/a\" b\n"],
    &["[Service]\nExecStart=-@:+/bin/a zero one\n"],
    &["[Service]\nExecStart=@/bin/a\n"],
    &["[Service]\nExecStart=@/bin/a ''\n"],
    &["[Service]\nExecStart=@/bin/a /bin/a\n"],
    &["[Service]\nExecStart=!/bin/a\n"],
    &["[Service]\nExecStart=!!/bin/a\n"],
    &["[Service]\nExecStart=+!/bin/a\n"],
    &["[Service]\nExecStart=/bin//a/./b/ x\n"],
    &["[Service]\nExecStart=/bin//a/./b x\n"],
    &["[Service]\nExecStart=a b\n"],
    &["[Service]\nExecStart=bin/a b\n"],
    &["[Service]\nExecStart=-bin/a b\nExecStart=/bin/c\n"],
    &["[Service]\nExecStart=/bin/a\\x20b c\n"],
    &["[Service]\nExecStart=/bin/a\\nb c\n"],
    &["[Service]\nExecStart=/bin/$A $A ${B} $$ \"$C d\"\n"],
    &[
        "[Service]\nType=oneshot\nExecStart=/bin/a ; /bin/b c ; ; -/bin/d\nExecStart=/bin/e ';' \\; \"\\;\" x; ;\n",
    ],
    &["[Service]\nType=oneshot\nExecStart=/bin/a ; bin/b ; /bin/c\n"],
    &[
        "[Service]\nType=oneshot\nExecStart=/bin/a\n",
        "[Service]\nExecStart=/bin/b ; bin/c\nRestart=on-failure\n",
    ],
    &["[Service]\nExecStart=/bin/a ;\n"],
    &["[Service]\nExecStart=; /bin/a\n"],
    &["[Service]\nExecStart=/bin/a %n %N %p %i %j %I %P %J %t %% %/\n"],
    &["[Service]\nExecStart=/bin/a %f\n"],
    &["[Service]\nExecStart=/bin/a %S %C %L %E\n"],
    &["[Service]\nExecStart=/bin/a %u %U %g %G %h\n"],
    &["[Service]\nExecStart=/bin/a %T %V\n"],
    &["[Service]\nExecStart=/bin/a %-\n"],
    &["[Service]\nExecStart=/bin/a % b%\n"],
    &["[Service]\nExecStart=/bin/a %d %y %Y\n"],
    &["[Service]\nExecStart=/bin/a %H %m %b %v %s\n"],
    &["[Service]\nExecStart=/bin/a %z\n"],
    &["[Service]\nExecStart=/bin/%p\n"],
    &["[Service]\nExecStart=/bin/a\u{a0}b \u{e4}\n"],
    &["[Service]\nExecStart=/bin/a\nExecStart=/bin/b\n"],
    &["[Service]\nExecStart=/bin/a\nExecStart=\nExecStart=/bin/b\n"],
    &["[Service]\nExecStart=\n"],
    &["[Service]\nExecStop=/bin/a\n"],
    &["[Service]\nExecStop=/bin/a\nRemainAfterExit=yes\n"],
    &["[Unit]\nSuccessAction=none\n[Service]\nExecStop=/bin/a\nType=simple\n"],
    &["[Unit]\nSuccessAction=exit\n"],
    // Scalars: what is empty, and what is invalid.
    &["[Service]\nExecStart=/bin/a\nType=exec\n", "[Service]\nType=nonsense\n"],
    &["[Service]\nExecStart=/bin/a\nRestart=always\n", "[Service]\nRestart=\nRestart=No\n"],
    &["[Service]\nExecStart=/bin/a\nKillMode=process\n", "[Service]\nKillMode=\n"],
    &["[Service]\nExecStart=/bin/a\nKillMode=process\n", "[Service]\nKillMode=x\n"],
    &["[Service]\nExecStart=/bin/a\nKillSignal=SIGRTMAX-3\n", "[Service]\nKillSignal=\nKillSignal=sigint\n"],
    &["[Service]\nExecStart=/bin/a\nKillSignal=RTMIN+3\nRestartKillSignal=2\nFinalKillSignal=QUIT\n"],
    &["[Service]\nExecStart=/bin/a\nKillSignal=64\nWatchdogSignal=RTMIN\nReloadSignal=USR1\n"],
    &["[Service]\nExecStart=/bin/a\nKillSignal=65\nWatchdogSignal=0\n"],
    &["[Service]\nExecStart=/bin/a\nTimeoutStopSec=0\nTimeoutStartSec=0\nTimeoutAbortSec=0\n"],
    &["[Service]\nExecStart=/bin/a\nTimeoutSec=1min 30s\n", "[Service]\nTimeoutSec=\nTimeoutStopSec=x\n"],
    &["[Service]\nExecStart=/bin/a\nTimeoutAbortSec=5\n", "[Service]\nTimeoutAbortSec=\n"],
    &["[Service]\nExecStart=/bin/a\nTimeoutStopSec=infinity\nRestartSec=infinity\nRuntimeMaxSec=1.5h\n"],
    &[
        "[Service]\nExecStart=/bin/a\nRestartSec=500ms\nTimeoutStopSec=1m\nTimeoutStartSec=1M\nRuntimeMaxSec=.5\n",
    ],
    &[
        "[Service]\nExecStart=/bin/a\nRestartSec=1 2\nTimeoutStopSec=1.2.3\nTimeoutStartSec=0x10\nRuntimeMaxSec=+5\n",
    ],
    &["[Service]\nExecStart=/bin/a\nRestartSec=%i\nTimeoutStopSec=-1\nTimeoutStartSec=5x\n"],
    &["[Service]\nExecStart=/bin/a\nRestartSec=1us\nTimeoutStopSec=1\u{b5}s\nTimeoutStartSec=1min30s\n"],
    &["[Service]\nType=oneshot\nExecStart=/bin/a\n"],
    &["[Service]\nType=oneshot\nExecStart=/bin/a\nTimeoutSec=9\n"],
    &["[Service]\nType=oneshot\nExecStart=/bin/a\nRestart=always\n"],
    &["[Service]\nExecStart=/bin/a\nBusName=a.b\n"],
    &["[Service]\nType=dbus\nExecStart=/bin/a\n"],
    &["[Service]\nType=dbus\nExecStart=/bin/a\nBusName=a.b\nBusName=\nBusName=a\nBusName=a.1\n"],
    &["[Service]\nType=notify\nExecStart=/bin/a\n"],
    &["[Service]\nExecStart=/bin/a\nWatchdogSec=5\n"],
    &[
        "[Service]\nExecStart=/bin/a\nFileDescriptorStoreMax=5\nFileDescriptorStoreMax=\nFileDescriptorStoreMax=x\n",
    ],
    &["[Service]\nExecStart=/bin/a\nNotifyAccess=all\nNotifyAccess=\n"],
    &["[Service]\nType=forking\nExecStart=/bin/a\nPIDFile=x/%p.pid\n"],
    &["[Service]\nExecStart=/bin/a\nPIDFile=/var/run/x.pid\n"],
    &["[Service]\nExecStart=/bin/a\nPIDFile=/a//b/./c.pid\n", "[Service]\nPIDFile=\n"],
    &["[Service]\nExecStart=/bin/a\nUser=www-data\nGroup=0\n", "[Service]\nUser=\n"],
    &["[Service]\nExecStart=/bin/a\nUser=a:b\n"],
    &["[Service]\nExecStart=/bin/a\nUser=0  'a\\b=c\n"],
    &["[Service]\nExecStart=/bin/a\nUser=65535\n"],
    &["[Service]\nExecStart=/bin/a\nUser=010\n"],
    &["[Service]\nExecStart=/bin/a\nUser=-1\n"],
    &["[Service]\nExecStart=/bin/a\n", "[Service]\nRestart=always\nUser=a/b\nKillMode=process\n"],
    &["[Service]\nExecStart=/bin/a\nRootDirectory=/a/\nRootDirectory=b\nRootDirectory=/c/../d\n"],
    &["[Service]\nExecStart=/bin/a\nRootDirectory=/a//b\n", "[Service]\nRootDirectory=\n"],
    &["[Service]\nExecStart=/bin/a\nSendSIGKILL=no\nSendSIGKILL=\nSendSIGHUP=ON\nGuessMainPID=f\n"],
    &["[Service]\nExecStart=/bin/a\nProtectSystem=yes\nProtectHome=read-only\nProtectHome=\n"],
    &["[Service]\nExecStart=/bin/a\nProtectSystem=strict\nProtectSystem=maybe\nNoNewPrivileges=1\n"],
    &["[Service]\nExecStart=/bin/a\nSyslogIdentifier=100%% %p\nPAMName=\n"],
    &["[Service]\nExecStart=/bin/a\nPAMName=login\nKillMode=process\n"],
    &["[Service]\nExecStart=/bin/a\nDelegate=\n"],
    &["[Service]\nExecStart=/bin/a\nDelegate=cpu memory\nOOMPolicy=kill\nOOMPolicy=\n"],
    &["[Service]\nExecStart=/bin/a\nMemoryMax=1.5G\nMemoryHigh=x\nMemoryMax=0\n"],
    &["[Service]\nExecStart=/bin/a\nMemoryMax=1G\nMemoryHigh=infinity\n", "[Service]\nMemoryMax=\n"],
    // Lists.
    &[
        "[Service]\nExecStart=/bin/a\nEnvironment=A=1 \"B=2 3\" 'C=4'\nEnvironment=A=5 1=x -=y D E=%p %z F=\\x41\n",
    ],
    &[
        "[Service]\nExecStart=/bin/a\nEnvironment=A=1\nEnvironment=\nEnvironment=B=2 'C=3\nEnvironment=D=\\q E=1\n",
    ],
    &["[Service]\nExecStart=/bin/a\nPassEnvironment=A B A\nUnsetEnvironment=C\nPassEnvironment=\n"],
    &[
        "[Service]\nExecStart=/bin/a\nRestartPreventExitStatus=2 SIGKILL TEMPFAIL x 256\nRestartPreventExitStatus=1\n",
    ],
    &[
        "[Service]\nExecStart=/bin/a\nSuccessExitStatus=3\nSuccessExitStatus=\nRestartForceExitStatus=0x10 KILL\n",
    ],
    &[
        "[Service]\nExecStart=/bin/a\nRestrictAddressFamilies=AF_UNIX AF_INET\nRestrictAddressFamilies=~AF_INET AF_X\n",
    ],
    &["[Service]\nExecStart=/bin/a\nRestrictAddressFamilies=~AF_PACKET\nRestrictAddressFamilies=AF_INET\n"],
    &["[Service]\nExecStart=/bin/a\nRestrictAddressFamilies=AF_INET\nRestrictAddressFamilies=\n"],
    &["[Service]\nExecStart=/bin/a\nRestrictAddressFamilies=none\n"],
    &["[Service]\nExecStart=/bin/a\nRestrictAddressFamilies=none\nRestrictAddressFamilies=~AF_INET\n"],
    &[
        "[Service]\nExecStart=/bin/a\nCapabilityBoundingSet=CAP_KILL cap_chown x\nAmbientCapabilities=CAP_KILL\n",
    ],
    &["[Service]\nExecStart=/bin/a\nCapabilityBoundingSet=CAP_KILL\nCapabilityBoundingSet=~CAP_KILL\n"],
    &["[Service]\nExecStart=/bin/a\nCapabilityBoundingSet=~CAP_KILL\nCapabilityBoundingSet=CAP_KILL\n"],
    &["[Service]\nExecStart=/bin/a\nCapabilityBoundingSet=\n"],
    &["[Service]\nExecStart=/bin/a\nCapabilityBoundingSet=CAP_KILL\nCapabilityBoundingSet=~\n"],
    &[
        "[Service]\nExecStart=/bin/a\nReadOnlyPaths=/a -/b//c d +/e\nReadWritePaths=/x/../y '/z w'\nInaccessiblePaths=\n",
    ],
    // Places.
    &[
        "[Service]\nExecStart=/bin/a\nEnvironmentFile=-/etc/default//%p\nEnvironmentFile=/b c\nEnvironmentFile=d\nEnvironmentFile=%z\n",
    ],
    &[
        "[Service]\nExecStart=/bin/a\nEnvironmentFile=/a\n",
        "[Service]\nEnvironmentFile=\nEnvironmentFile=-/b/./c\n",
    ],
    &[
        "[Service]\nExecStart=/bin/a\nBindPaths=/a -/b//c:/d '/e f':/g:norbind /h:/i:rbind\nBindReadOnlyPaths=/%p\n",
    ],
    &["[Service]\nExecStart=/bin/a\nBindPaths=a /b: /c:/d:x /e:-/f /g /h:/i/../j\nBindPaths=/k:l\n"],
    &["[Service]\nExecStart=/bin/a\nBindPaths=/a:/b\nBindPaths=\nBindReadOnlyPaths=/c 'd\n"],
    &[
        "[Service]\nExecStart=/bin/a\nTemporaryFileSystem=/var//x:ro,size=1M /y z:/w\nTemporaryFileSystem=/v:\n",
    ],
    &["[Service]\nExecStart=/bin/a\nRuntimeDirectory=a b//c a /d private/x ../e\nStateDirectory=%p/q x\n"],
    &[
        "[Service]\nExecStart=/bin/a\nCacheDirectory=z y\nLogsDirectory=l\n",
        "[Service]\nCacheDirectory=\nLogsDirectory=k\n",
    ],
    &[
        "[Service]\nExecStart=/bin/a\nSupplementaryGroups=audio 0 audio\n",
        "[Service]\nSupplementaryGroups=video\n",
    ],
    // What came after 247: a manager that does not know it says nothing of it.
    &[
        "[Service]\nExecStart=/bin/a\nRestartMode=direct\nExitType=cgroup\nRestartSteps=3\nRestartMaxDelaySec=1min\nReloadSignal=USR1\n",
        "[Service]\nRestartRandomizedDelaySec=5\nRuntimeRandomizedExtraSec=2\nFileDescriptorStorePreserve=yes\n",
    ],
    &[
        "[Service]\nExecStart=/bin/a\nRestartMode=debug\nExitType=cgroup\nRestartSteps=2\nReloadSignal=INT\nFileDescriptorStorePreserve=no\n",
        "[Service]\nRestartMode=x\nRestartMode=\nExitType=\nRestartSteps=x\nRestartSteps=\nReloadSignal=\nFileDescriptorStorePreserve=\n",
    ],
    &[
        "[Service]\nExecStart=/bin/a\nRestartMaxDelaySec=\nRestartRandomizedDelaySec=x\nRuntimeRandomizedExtraSec=\n",
    ],
    &["[Service]\nExecStart=/bin/a\nType=notify-reload\n"],
    &["[Service]\nExecStart=/bin/a\nFileDescriptorStorePreserve=on-success\n"],
    &["[Service]\nExecStart=/bin/a\nLoadCredential=a:/b\n"],
    &["[Service]\nExecStart=/bin/a\nLoadCredentialEncrypted=a:/b\n", "[Service]\nBusName=a.b\n"],
    &["[Service]\nExecStart=/bin/a\nSetCredential=a:b\n", "[Service]\nSetCredential=\n"],
    &["[Service]\nExecStart=/bin/a\nSetCredentialEncrypted=a:Zm9v\n"],
    &[
        "[Service]\nExecStart=/bin/a\nStateDirectory=a:b c:/d e:../f g:h//i '' j\nCacheDirectory=a:b c:d/./e 'f:g h'\n",
    ],
    &[
        "[Service]\nExecStart=/bin/a\nStateDirectory=a:b:ro c:d:e f::ro g::h i: :j k:l:ro:m\nConfigurationDirectory=a:b c::ro d:\n",
    ],
    &["[Service]\nExecStart=/bin/a\nImportCredential=a\n"],
    &["[Service]\nExecStop=/bin/a\nRemainAfterExit=yes\nSetCredential=a:b\n"],
    &["[Service]\nExecStart=/bin/a\nExecCondition=/bin/b\nExecReload=/bin/c\nExecReloadPost=-/bin/d 'e f'\n"],
    &["[Service]\nExecStart=/bin/a\nRootImage=/a//b.raw\nRootMStack=/c/./d.mstack\n"],
    &["[Service]\nExecStart=/bin/a\nRootMStack=/c.mstack\n", "[Service]\nRootMStack=\n"],
    &[
        "[Service]\nExecStart=/bin/a\nExecPaths=/a -/b//c\nNoExecPaths=/ +/d e\n",
        "[Service]\nExecPaths=\nExecPaths=/f\n",
    ],
    &[
        "[Service]\nExecStart=/bin/a\nProtectProc=invisible\nProtectProc=x\nProcSubset=pid\nProcSubset=\nPrivateIPC=yes\n",
    ],
    &[
        "[Service]\nExecStart=/bin/a\nIPCNamespacePath=/a//b\nNetworkNamespacePath=c\nLogNamespace=%p\nDevicePolicy=strict\n",
    ],
    &["[Unit]\nFailureAction=soft-reboot\nStartLimitAction=reboot-immediate\n[Service]\nExecStart=/bin/a\n"],
    &["[Unit]\nStartLimitIntervalSec=5\nStartLimitBurst=x\n[Service]\nExecStart=/bin/a\nStartLimitBurst=7\n"],
    &[
        "[Unit]\nStartLimitInterval=7\nFailureAction=none\nDefaultDependencies=no\n[Service]\nExecStart=/bin/a\n",
    ],
];

/// What is too long, or no text.
fn odd(tree: &Path) -> Vec<String> {
    let begin = b"[Service]\nExecStart=/bin/a\n".to_vec();
    let with = |rest: &[u8]| [&begin[..], rest].concat();
    let long = |length: usize| vec![b'x'; length];
    let mut names = Vec::new();
    for (index, content) in [
        with(b"Restart=always\nUser=\xff\nKillMode=process\n"),
        with("User=\u{fffe}\n".as_bytes()),
        with(b"# \xff\nRestart=always\n"),
        with(&[b"SyslogIdentifier=", &long((1 << 20) - 18)[..], b"\nRestart=always\n"].concat()),
        with(&[b"SyslogIdentifier=", &long(1 << 20)[..], b"\nRestart=always\n"].concat()),
        with(&[b"#", &long(1 << 20)[..], b"\nRestart=always\n"].concat()),
        with(&[b"X=", &long(1 << 19)[..], b"\\\n", &long(1 << 19)[..], b"\nRestart=always\n"].concat()),
        // Ten megabytes.
        with(
            &[&b"# a comment that is there for its length alone\n".repeat(210_000)[..], b"Restart=always\n"]
                .concat(),
        ),
        with(&[b"Environment=A=1 \\\n".repeat(1_000).as_slice(), b"\nRestart=always\n"].concat()),
        Vec::new(),
    ]
    .into_iter()
    .enumerate()
    {
        names.push(format!("o{index:02}.service"));
        put(tree, &format!("{USR}/o{index:02}.service"), &content);
        // The same as a drop-in.
        names.push(format!("p{index:02}.service"));
        put(tree, &format!("{USR}/p{index:02}.service"), &begin);
        put(tree, &format!("{ETC}/p{index:02}.service.d/x.conf"), &content);
    }
    names
}

/// Which files make a unit.
fn found_by_name(tree: &Path) -> Vec<String> {
    let service = |number: usize| format!("[Service]\nExecStart=/bin/{number}\n");
    let drop_in = |number: usize| format!("[Service]\nTimeoutStopSec={number}\n");
    let place = |directory: &str, what: &str, text: String| {
        put(tree, &format!("{directory}/{what}"), text.as_bytes());
    };
    place(USR, "f-one.service", service(1));
    place(RUN, "f-one.service", service(2));
    place(ETC, "f-two.service", service(3));
    place(RUN, "f-two.service", service(4));
    for (number, path) in [
        (1, "f-one.service.d/50.conf"),
        (2, "f-.service.d/50.conf"),
        (3, "f-.service.d/60.conf"),
        (5, "f-.service.d/ignored.txt"),
        (6, "f-.service.d/.hidden.conf"),
    ] {
        place(USR, path, drop_in(number));
    }
    place(USR, "service.d/70.conf", "[Service]\nUtmpIdentifier=all\n".to_owned());
    place(RUN, "f-one.service.d/55.conf", drop_in(7));
    place(ETC, "f-.service.d/50.conf", drop_in(8));
    place(ETC, "f-two.service.d/60.conf", String::new());
    link(tree, "/dev/null", &format!("{ETC}/f-two.service.d/70.conf"));
    link(tree, "/nonexistent", &format!("{ETC}/f-two.service.d/80.conf"));
    // Aliases.
    link(tree, "f-one.service", &format!("{ETC}/g-alias.service"));
    link(tree, &format!("{USR}/f-one.service"), &format!("{ETC}/h-alias.service"));
    link(tree, "../system/g-alias.service", &format!("{ETC}/i-alias.service"));
    link(tree, "nowhere.service", &format!("{ETC}/j-alias.service"));
    link(tree, "k2.service", &format!("{ETC}/k1.service"));
    link(tree, "k1.service", &format!("{ETC}/k2.service"));
    place(ETC, "g-alias.service.d/51.conf", drop_in(9));
    // Linked from elsewhere, and masked.
    place("/opt", "elsewhere.service", service(5));
    link(tree, "/opt/elsewhere.service", &format!("{ETC}/l-linked.service"));
    link(tree, "/dev/null", &format!("{ETC}/m-masked.service"));
    place(USR, "m-masked.service", service(6));
    place(ETC, "m-empty.service", String::new());
    place(ETC, "n-nothing.service.d/x.conf", drop_in(10));
    // Templates.
    place(USR, "t-a@.service", "[Service]\nExecStart=/bin/a %i %I %f %p %j %N\nPIDFile=%i.pid\n".to_owned());
    place(USR, "t-a@own.service", service(7));
    for (number, path) in [
        (11, "t-a@.service.d/1.conf"),
        (12, "t-a@x-y.service.d/1.conf"),
        (13, "t-.service.d/1.conf"),
        (14, "t-@.service.d/2.conf"),
        (15, "t-@x-y.service.d/3.conf"),
        (16, "t-.service.d/4.conf"),
    ] {
        place(USR, path, drop_in(number));
    }
    link(tree, "t-a@.service", &format!("{ETC}/u-b@.service"));
    link(tree, "t-a@.service", &format!("{ETC}/v-c@z.service"));
    link(tree, "t-a@z.service", &format!("{ETC}/v-d@z.service"));
    link(tree, "t-a@other.service", &format!("{ETC}/v-e@z.service"));
    link(tree, "f-one.service", &format!("{ETC}/v-f@z.service"));
    // A directory and a unit that are links themselves.
    place("/opt", "drop-ins/1.conf", drop_in(17));
    place(USR, "x-linked.service", service(8));
    link(tree, "/opt/drop-ins", &format!("{ETC}/x-linked.service.d"));
    fs::create_dir_all(below(tree, &format!("{ETC}/x-linked2.service.d/1.conf"))).expect("a directory");
    place(USR, "x-linked2.service", service(9));
    [
        "f-one",
        "f-two",
        "g-alias",
        "h-alias",
        "i-alias",
        "j-alias",
        "k1",
        "l-linked",
        "m-masked",
        "m-empty",
        "n-nothing",
        "absent",
        "t-a@own",
        "t-a@x-y",
        "t-a@\\x2d",
        "t-a@p@q",
        "u-b@1",
        "v-c@z",
        "v-d@z",
        "v-e@z",
        "v-f@z",
        "t-a@z",
        "x-linked",
        "x-linked2",
    ]
    .map(|name| format!("{name}.service"))
    .into()
}

const KEYS: &[(&str, &[&str])] = &[
    ("Type", &["simple", "exec", "forking", "oneshot", "notify", "idle", "", "x", "Simple"]),
    ("Restart", &["no", "always", "on-failure", "on-abnormal", "", "x", "on-success"]),
    ("KillMode", &["process", "mixed", "control-group", "", "x"]),
    ("KillSignal", &["SIGQUIT", "INT", "3", "RTMIN+1", "SIGRTMAX-1", "", "x", "0", "99", "quit"]),
    ("RestartKillSignal", &["SIGINT", "", "x"]),
    ("TimeoutStopSec", &["5", "1min 2s", "0", "infinity", "", "x", "5 s", "1.5", "1,5", "10ms", "1 1", "%i"]),
    ("TimeoutStartSec", &["5", "0", "infinity", "", "x", "2h"]),
    ("TimeoutSec", &["7", "", "x"]),
    ("TimeoutAbortSec", &["3", "", "x", "0"]),
    ("RestartSec", &["1", "", "x", "100ms", "1us"]),
    ("RuntimeMaxSec", &["1d", "", "infinity"]),
    ("WatchdogSec", &["5", "0", "", "x"]),
    ("PIDFile", &["/run/x.pid", "x.pid", "%p.pid", "", "../x", "/a/../b", "/a//b"]),
    ("BusName", &["a.b", "", "a"]),
    ("NotifyAccess", &["all", "exec", "none", "", "x"]),
    ("User", &["root", "0", "nobody-x", ""]),
    ("RootDirectory", &["/", "/a//b", "a", ""]),
    ("SyslogIdentifier", &["a", "%n", "", "a b", "100%%", "%z"]),
    ("SendSIGKILL", &["yes", "no", "", "2"]),
    ("ProtectSystem", &["yes", "no", "full", "strict", "", "x"]),
    ("Environment", &["A=1", "'B=2 3' C=4", "A=5", "", "D=\\x41", "'E=", "F=%p", "9=1", "G=\"a b\""]),
    ("SuccessExitStatus", &["1", "TEMPFAIL SIGINT", "", "x 2", "300"]),
    ("RestrictAddressFamilies", &["AF_UNIX AF_INET", "~AF_PACKET", "AF_NETLINK", "", "none", "~AF_INET"]),
    ("CapabilityBoundingSet", &["CAP_KILL", "~CAP_SYS_ADMIN", "CAP_CHOWN CAP_KILL", "", "~", "x"]),
    ("ReadOnlyPaths", &["/a", "-/b +/c", "", "d", "'/e f'"]),
    ("EnvironmentFile", &["/a", "-/b//c", "", "d", "-e", "/f g", "/%p"]),
    ("BindPaths", &["/a:/b", "/a /c:/d:norbind", "-/e", "", "f", "'/g h'", "/i:/j:rbind"]),
    ("TemporaryFileSystem", &["/a", "/b:ro", "", "c", "/d:size=1M,mode=700 /e"]),
    ("StateDirectory", &["a", "b c/d", "", "/e", "%p", "../f"]),
    ("FileDescriptorStoreMax", &["1", "", "x", "010"]),
    ("MemoryMax", &["1G", "", "x", "infinity", "1.5M"]),
    ("Delegate", &["yes", "no", "", "cpu"]),
    ("OOMPolicy", &["stop", "kill", "", "x"]),
];

const WORDS: &[&str] = &[
    "a",
    "'b c'",
    "\"d\\\"e\"",
    "\\x41",
    "%i",
    "%n",
    "%%",
    "%p%i",
    "$A",
    "${B}",
    "$$",
    "\\;",
    "\"\"",
    "''",
    "x\\d",
    "\\u00e4",
    "\u{e4}",
    "a'b'c",
    "\\\\",
    "a\\sb",
    "';'",
    ";x",
    "--",
    "-",
    "@",
    "%H",
    "%t/x",
    "\\t",
    "\"a\\\\\"",
    "#x",
    "=",
];

/// Rarer ones, which mostly spoil a line.
const BAD: &[&str] = &["'open", "\"open", "%z", ";", "\\x00", "\\", "\\777"];

fn pick<'p, T: ?Sized>(random: &mut ChaCha12Rng, pieces: &[&'p T]) -> &'p T {
    pieces[random.random_range(0..pieces.len())]
}

fn command(random: &mut ChaCha12Rng) -> String {
    let prefix = pick(random, &["", "", "", "-", ":", "+", "!", "-:", "@"]);
    let program = pick(random, &["/bin/a", "/bin//b", "\"/opt/my a\"", "c", "/bin/%p", "/a$b", "/bin/'x'"]);
    let mut text = format!("{prefix}{program}");
    for _ in 0..random.random_range(0..6) {
        let word = if random.random_range(0..25) == 0 { pick(random, BAD) } else { pick(random, WORDS) };
        text += pick(random, &[" ", " ", "  ", "\t", " \\\n  ", " \\\n# comment\n "]);
        text += word;
    }
    text
}

fn assignment(random: &mut ChaCha12Rng) -> String {
    if random.random_range(0..4) == 0 {
        let key = pick(random, &["ExecStart", "ExecStartPre", "ExecReload", "ExecStop", "ExecStopPost"]);
        return match random.random_range(0..5) {
            0 => format!("{key}="),
            _ => format!("{key}={}", command(random)),
        };
    }
    let (key, values) = &KEYS[random.random_range(0..KEYS.len())];
    let equals = pick(random, &["=", "=", "= ", " = ", "=\t"]);
    let end = pick(random, &["", "", "", " ", "\t", "\\\n", " \\\n"]);
    format!("{key}{equals}{}{end}", pick(random, values))
}

fn file(random: &mut ChaCha12Rng, is_own: bool) -> String {
    let mut lines = vec![
        pick(random, &["[Service]", "[Service]", "[Service]", " [Service] ", "\u{feff}[Service]"]).to_owned(),
    ];
    if is_own {
        lines.push(format!("ExecStart={}", pick(random, &["/bin/true", "/bin/true a 'b c'"])));
    } else if random.random_range(0..2) == 0 {
        lines.push("ExecStart=".to_owned());
        lines.push(format!("ExecStart={}", command(random)));
    }
    for _ in 0..random.random_range(0..8) {
        lines.push(match random.random_range(0..16) {
            0 => "# comment \\".to_owned(),
            1 => ";".to_owned(),
            2 => String::new(),
            3 if random.random_range(0..3) == 0 => {
                pick(random, &["[Unit]", "[Install]", "[X-a]", "[Service", "\u{feff}Type=exec", "nonsense"])
                    .to_owned()
            }
            _ => assignment(random),
        });
    }
    lines.join(pick(random, &["\n", "\n", "\n", "\r\n", "\0"]))
}

fn make(tree: &Path, index: usize, random: &mut ChaCha12Rng) -> String {
    let (own, name) = match random.random_range(0..4) {
        0 => (format!("y{index:03}-x@.service"), format!("y{index:03}-x@i\\x2d{index}-j.service")),
        _ => (format!("y{index:03}-x.service"), format!("y{index:03}-x.service")),
    };
    put(tree, &format!("{}/{own}", pick(random, &[USR, RUN, ETC])), file(random, true).as_bytes());
    for number in 0..random.random_range(0..4) {
        let prefix = format!("y{index:03}-.service");
        let directory = pick(random, &[own.as_str(), &name, &prefix]).to_owned();
        let place = pick(random, &[USR, RUN, ETC]);
        put(
            tree,
            &format!("{place}/{directory}.d/{}.conf", random.random_range(number..4)),
            file(random, false).as_bytes(),
        );
    }
    name
}
