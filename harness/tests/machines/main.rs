//! Tests that boot real machines.
//!
//! Where none can be booted they show as ignored, with the reason; in CI (`CI=true`) that is a failure. A test that needs
//! another systemd or kernel than there is shows as ignored everywhere, and what takes a minute by itself is left out unless asked for.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use lab::Backend;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use packaged::Package;

mod bad_input;
mod broken;
mod commands;
#[cfg(feature = "docker")]
mod containers;
mod controls;
mod core_dump;
mod demo;
mod family_signals;
mod faults;
mod guard;
mod guard_restarts;
mod in_process;
mod install_script;
mod interrupted;
mod isolation;
mod lab;
mod left_behind;
mod leftovers;
mod limits;
mod main_process;
mod newer_systemd;
mod packaged;
mod peers;
mod recovery;
mod reloading;
mod scenario_files;
mod sigstop;
mod starting;
mod starvation;
mod stopping;
mod trials;
mod truth;
mod units;
mod user_manager;
mod wrapped;
mod wrapped_units;

/// Most of a test is waiting for a hang to be noticed, so more of them run at once than there are cores; few enough that each has the CPU
/// when it wants it.
const AT_ONCE: usize = 3;

/// What takes longest begins first, so that nothing of it is still to be done when all else is: 20 s and more, by itself.
const LONGEST: [&str; 9] = [
    "everything_in_the_zoo_fails_for_its_own_reason",
    "guarded_postgresql_comes_back",
    "a_unit_is_read_as_systemd_reads_it",
    "guarded_tinyproxy_comes_back",
    "each_process_gets_what_it_gets_without_sd_watchdog_and_as_often",
    "a_service_that_another_wants_comes_back_whatever_its_restart_says",
    "a_resolver_that_fails_does_not_fail_the_service",
    "an_enabled_service_comes_back_whatever_its_restart_says",
    "a_service_started_by_hand_comes_back_whatever_its_restart_says",
];

/// Held alone by a test that takes every CPU, or that asserts to 100 ms: it neither disturbs others nor is disturbed.
static CPUS: RwLock<()> = RwLock::new(());

fn is_alone(name: &str) -> bool {
    [
        "spinning",
        "withheld",
        "starved",
        "flooded",
        "loud_server",
        "several_machines",
        "what_is_to_be_alone",
        "repertoire",
    ]
    .iter()
    .any(|word| name.contains(word))
}

/// Those that run alone come first, one after the other: in between, each would wait for all others to end, and have all
/// others wait.
fn rank(name: &str) -> (bool, usize) {
    let place = LONGEST.iter().position(|long| name.ends_with(long));
    (!is_alone(name), place.unwrap_or(LONGEST.len()))
}

/// Of each test: its name, itself, and whether it is about every backend or the namespace machine alone.
macro_rules! tests {
    ($($module:ident :: $test:ident),* $(,)?) => {
        [$((stringify!($test), (|backend| $module::$test(backend).completion()) as fn(Backend) -> Completion)),*]
    };
}

/// What a test returns: nothing, or that what it is about cannot be seen on this machine, and why.
trait Returned {
    fn completion(self) -> Completion;
}

impl Returned for () {
    fn completion(self) -> Completion {
        Completion::Completed
    }
}

impl Returned for Completion {
    fn completion(self) -> Completion {
        self
    }
}

fn main() {
    // One test runs this program in its machine.
    if !units::read_in_the_machine() {
        run();
    }
}

fn arguments() -> Arguments {
    let arguments = Arguments::from_args();
    Arguments { test_threads: arguments.test_threads.or(Some(AT_ONCE)), ..arguments }
}

#[expect(clippy::too_many_lines, reason = "a list of tests")]
fn run() {
    let everywhere = tests![
        recovery::a_mute_server_is_restarted_within_watchdog_sec,
        recovery::a_server_that_stops_accepting_is_restarted_within_watchdog_sec,
        recovery::a_server_that_only_the_second_set_finds_mute_is_restarted_within_watchdog_sec,
        recovery::a_deadlocked_server_is_restarted_within_watchdog_sec,
        recovery::a_spinning_server_is_restarted_within_watchdog_sec,
        recovery::a_server_that_only_answers_errors_is_restarted_within_watchdog_sec,
        recovery::withheld_pings_are_detected_between_the_last_ping_and_the_timers_slack,
        recovery::a_crash_recovers_by_exit_and_not_by_the_watchdog,
        recovery::faults_one_after_another_are_each_an_episode,
        recovery::a_service_that_may_not_start_again_is_given_up,
        recovery::trials_follow_one_another_on_one_machine,
        recovery::a_service_of_type_exec_is_measured_as_well,
        controls::a_healthy_service_is_left_alone,
        controls::without_the_watchdog_a_hang_goes_unnoticed_and_the_verdict_says_why,
        controls::pings_without_probes_hide_a_hang_and_the_verdict_says_why,
        controls::a_start_that_is_tried_for_ever_is_not_given_up,
        controls::each_part_of_a_recovery_is_held_against_what_is_expected_of_it,
        bad_input::a_command_that_does_not_exist_is_reported_at_once,
        bad_input::a_service_that_ends_before_it_serves_is_reported_at_once,
        bad_input::a_port_already_taken_is_reported_with_the_servers_own_words,
        bad_input::a_service_that_never_becomes_healthy_is_reported_with_the_probes_reason,
        install_script::the_installed_unit_recovers_from_a_hang_and_is_uninstalled_to_the_last_file,
        peers::what_a_machine_does_not_bring_is_skipped_with_the_package_to_install,
        peers::options_with_spaces_in_them_are_understood,
        peers::a_stopped_service_is_stopped_whole_but_for_its_guard_and_can_be_healed,
        peers::a_command_that_was_stopped_gets_the_watchdogs_sigabrt_and_is_waited_for,
        peers::daemon_reload_and_reexec_do_not_disturb_a_guarded_service,
        peers::the_journal_says_why_a_deadlocked_server_hung,
        core_dump::the_core_is_the_hung_commands_and_not_sd_watchdogs,
        starting::a_start_that_is_extended_outlives_daemon_reload,
        newer_systemd::a_reload_lasts_until_the_reloaded_service_is_healthy,
        newer_systemd::systemd_forgets_the_restarts_of_a_service_that_was_sound_for_long_enough,
        peers::a_service_that_logs_nowhere_has_its_hang_report_in_the_journal,
        interrupted::a_command_in_the_machine_is_cut_short_and_is_no_breakage,
        interrupted::evidence_that_is_being_kept_is_cut_short,
    ];
    let in_namespaces = tests![
        leftovers::nothing_is_left_after_success,
        leftovers::nothing_is_left_after_a_failed_verdict,
        leftovers::nothing_is_left_after_a_panic,
        leftovers::nothing_is_left_after_ctrl_c,
        leftovers::nothing_is_left_after_sigterm,
        leftovers::no_process_outlives_a_harness_that_is_killed_and_the_next_run_sweeps_its_cgroup,
        guard::a_service_that_is_not_wrapped_comes_back_as_its_own_restart_says,
        guard::a_unit_that_does_not_exist_yet_is_waited_for,
        guard::a_stopped_process_dies_of_the_watchdogs_signal,
        guard::a_hung_service_that_is_stopped_stays_down_and_is_guarded_when_it_is_started_again,
        guard::a_service_that_was_ended_too_often_is_left_alone_and_loudly_so,
        guard::a_guard_that_is_restarted_has_no_new_budget,
        guard::a_service_that_systemd_gives_up_is_said_to_stay_down,
        guard::a_dry_run_reports_a_hang_in_the_units_journal_and_does_nothing_about_it,
        guard::a_starved_service_is_not_taken_for_one_that_hangs,
        guard::a_guard_outlives_daemon_reexec_and_respects_maintenance,
        guard::the_system_bus_serves_where_the_private_socket_does_not,
        guard::the_options_in_the_example_file_arrive_as_they_are_meant,
        guard::a_fault_waits_for_a_guard_that_comes_late,
        guard::a_guard_that_sees_nothing_healthy_is_named_with_its_status,
        guard_restarts::a_service_started_by_hand_comes_back_whatever_its_restart_says,
        guard_restarts::a_service_that_remains_active_after_its_exit_comes_back,
        guard_restarts::a_frozen_service_is_not_ended_and_is_watched_when_it_has_thawed,
        guard_restarts::a_service_that_another_wants_comes_back_whatever_its_restart_says,
        guard_restarts::an_enabled_service_comes_back_whatever_its_restart_says,
        guard_restarts::a_service_comes_back_as_its_own_restart_says_whoever_started_it,
        guard_restarts::what_nobody_is_to_start_again_is_not_ended_and_that_is_said_at_the_start,
        guard_restarts::a_guard_that_is_told_to_always_starts_the_service_again,
        guard_restarts::what_was_disabled_or_masked_since_is_not_ended,
        guard_restarts::what_never_was_healthy_is_not_ended_and_that_is_said_loudly,
        guard_restarts::a_command_that_probes_is_reaped_while_the_service_is_stopped,
        starvation::a_starved_service_has_more_time_to_answer_and_is_not_restarted,
        starvation::a_starved_service_is_restarted_where_pressure_is_not_to_count,
        units::a_unit_is_read_as_systemd_reads_it,
        user_manager::a_guard_ends_the_service_of_the_manager_that_is_meant,
        user_manager::a_wrapped_service_of_a_user_is_restarted_and_counts_its_own_restarts,
        wrapped_units::what_changes_is_what_systemd_says_and_nothing_else,
        wrapped_units::a_unit_runs_behind_its_drop_in_as_it_did_before,
        family_signals::each_process_gets_what_it_gets_without_sd_watchdog_and_as_often,
        stopping::a_service_that_drains_while_it_is_stopped_is_not_taken_for_one_that_hangs,
        main_process::a_pid_file_that_makes_another_the_main_process_is_said_before_systemd_ends_the_service,
        main_process::a_command_that_changed_its_user_ends_with_the_unit_when_sd_watchdog_is_killed,
    ];
    #[cfg(not(feature = "docker"))]
    let in_containers = tests![];
    #[cfg(feature = "docker")]
    let in_containers = tests![
        containers::the_same_scenario_has_the_same_events_on_every_backend,
        containers::nothing_is_left_after_success,
        containers::nothing_is_left_after_a_panic,
        containers::nothing_is_left_after_sigterm,
        containers::a_boot_is_cut_short_by_ctrl_c,
        containers::an_image_that_is_being_built_is_not_waited_for,
        containers::a_container_of_a_harness_that_was_killed_is_swept_by_the_next_run,
        containers::a_container_killed_in_a_run_breaks_the_run_with_its_last_words,
        containers::an_image_without_a_shell_is_refused_with_the_engines_words,
        containers::an_image_that_is_nowhere_is_named_with_the_remedy,
    ];
    let namespace = everywhere.iter().chain(&in_namespaces).map(|test| (Backend::Namespace, test));
    let docker = everywhere.iter().chain(&in_containers).map(|test| (Backend::Docker, test));
    let tests = namespace
        .chain(docker)
        .map(|(backend, &test)| trial(backend, test))
        .chain(of_machines())
        .chain(of_demands());
    let tests =
        tests.chain(of_the_server()).chain(of_scenarios()).chain(of_files()).chain(of_the_repertoire());
    let tests = tests.chain(of_packages()).chain(of_wrapped_packages());
    libtest_mimic::run(&arguments(), in_order(tests.collect())).exit();
}

/// Of what machines keep apart, and of what is done to services in them.
fn of_machines() -> impl Iterator<Item = Trial> {
    let everywhere = tests![
        commands::a_command_that_closes_its_output_and_lives_on_is_killed_at_its_deadline,
        commands::a_command_has_ended_although_what_it_started_has_not,
        commands::a_stream_ends_its_command_with_what_that_has_started,
        commands::all_that_a_command_has_said_is_there,
        sigstop::a_service_of_processes_that_live_for_a_moment_is_stopped,
        sigstop::a_service_that_starts_many_processes_at_once_is_stopped,
    ];
    let in_namespaces = tests![
        isolation::a_device_that_is_changed_in_a_machine_is_the_machines_own,
        isolation::what_belongs_to_the_host_is_refused_to_commands_and_services,
        isolation::no_remount_makes_the_hosts_programs_writable,
        isolation::what_the_host_has_mounted_below_its_usr_is_read_only_too,
        isolation::a_command_may_do_what_pid_1_may_and_runs_in_a_cgroup_of_the_machine,
        limits::a_run_that_finds_no_inotify_instance_says_which_limit_it_is_and_what_to_do,
        limits::a_host_flooded_with_runs_has_them_wait_for_their_turn,
        limits::nobody_keeps_a_machine_from_booting_by_a_lock,
        faults::each_fault_is_in_effect_until_its_guard_is_dropped,
        faults::a_fault_that_could_not_be_injected_leaves_nothing_behind,
        faults::a_fault_that_is_not_for_this_service_is_said_to_be_the_scenarios_mistake,
        faults::where_nobody_watches_a_stopped_guard_goes_unnoticed_and_the_verdict_says_why,
        faults::a_trial_that_is_interrupted_heals_what_it_did,
        faults::a_trial_leaves_the_machine_to_the_next_as_it_found_it,
        faults::what_is_done_in_one_machine_is_not_done_to_the_host_or_to_another,
        demo::the_page_tells_of_a_deed_to_its_end_and_ctrl_c_leaves_nothing_behind,
        demo::ctrl_c_is_heard_before_there_is_a_machine,
        demo::what_a_visitor_injects_is_found_and_the_next_one_is_taken_when_that_is_over,
        demo::what_a_visitor_heals_or_restarts_before_it_is_found_is_told_as_what_it_is,
        demo::what_cannot_be_done_is_said_to_who_wanted_it_and_the_demo_goes_on,
        demo::without_the_watchdog_a_hang_lasts_until_somebody_heals_it_or_restarts_the_service,
        sigstop::a_process_that_waits_for_its_child_in_vfork_is_stopped_with_it,
        sigstop::a_service_with_a_process_for_each_connection_is_stopped,
    ];
    #[cfg(not(feature = "docker"))]
    let in_containers = tests![];
    #[cfg(feature = "docker")]
    let in_containers = tests![
        containers::a_container_ends_by_itself_when_its_harness_is_killed,
        containers::a_container_whose_room_is_somewhere_else_is_left_alone,
        containers::an_engine_that_shares_no_files_is_refused_with_the_reason,
        containers::an_image_whose_own_programs_are_not_roots_boots,
        containers::a_client_on_the_engines_host_is_in_the_containers_network,
        containers::a_long_path_to_temporary_files_is_no_hindrance,
        containers::the_engine_is_the_one_that_docker_itself_would_use,
    ];
    let namespace = everywhere.into_iter().chain(in_namespaces).map(|test| trial(Backend::Namespace, test));
    namespace.chain(everywhere.into_iter().chain(in_containers).map(|test| trial(Backend::Docker, test)))
}

/// Of what the server does to itself.
fn of_the_server() -> impl Iterator<Item = Trial> {
    let everywhere = tests![
        in_process::a_server_that_vouches_for_itself_is_found_by_who_looks,
        in_process::a_server_that_ignores_sigabrt_is_ended_by_sigkill,
    ];
    let in_namespaces = tests![
        in_process::workers_that_wait_for_a_silent_peer_are_found,
        in_process::a_server_without_descriptors_is_found,
        in_process::an_answer_that_never_ends_is_found_by_who_waits_for_its_end,
        in_process::a_half_dead_server_is_found_by_who_asks_what_clients_ask,
        in_process::a_wrong_body_is_found_by_who_reads_it,
        in_process::a_server_that_is_slow_is_left_alone_unless_it_is_too_slow,
        in_process::a_server_that_is_mute_for_a_moment_is_left_alone_unless_it_is_for_long,
        in_process::a_server_that_ends_comes_back_unless_its_unit_says_no,
    ];
    let namespace = everywhere.into_iter().chain(in_namespaces).map(|test| trial(Backend::Namespace, test));
    namespace.chain(everywhere.map(|test| trial(Backend::Docker, test)))
}

/// Of all that a demo plays. A minute each, and alone: they are run where somebody asks for what is ignored, `--ignored repertoire`.
fn of_the_repertoire() -> impl Iterator<Item = Trial> {
    let tests = tests![
        demo::each_fault_of_the_repertoire_inside_of_the_service_comes_to_what_is_expected,
        demo::each_fault_of_the_repertoire_from_outside_comes_to_what_is_expected,
    ];
    tests.into_iter().map(|test| trial(Backend::Namespace, test).with_ignored_flag(true))
}

/// Of what a scenario says of readiness, and of what it has wrong.
fn of_demands() -> impl Iterator<Item = Trial> {
    let everywhere = tests![
        recovery::trials_are_made_on_several_machines_at_once,
        recovery::a_service_that_listens_seconds_after_its_start_recovers_within_what_is_expected,
        recovery::when_a_service_is_ready_that_does_not_say_so_is_for_the_scenario_to_know,
        recovery::a_service_that_is_too_slow_after_a_restart_fails_in_every_trial,
        bad_input::what_systemctl_refuses_and_systemd_skips_is_told_at_once,
        bad_input::a_directive_that_systemd_ignores_is_named_with_its_words,
        bad_input::a_healthy_service_that_exits_at_its_start_did_not_start,
        bad_input::a_service_that_ends_well_before_it_serves_was_not_skipped,
        bad_input::a_fault_of_buggy_servers_own_on_another_service_is_refused,
        bad_input::a_unit_without_exec_start_is_refused_with_systemds_words,
        bad_input::an_address_that_nobody_serves_is_named,
        truth::a_journal_that_is_handed_over_late_is_waited_for,
        broken::who_exits_with_code_0_on_sigabrt_comes_back_by_systemds_watchdog_and_by_restart_always,
        left_behind::what_a_main_process_leaves_behind_is_waited_for_as_systemd_does,
        left_behind::what_a_main_process_leaves_behind_is_killed_at_once_or_left_where_kill_mode_says_so,
        truth::a_service_that_logs_into_a_namespace_is_followed_there,
    ];
    let in_namespaces = tests![
        trials::the_cases_of_all_scenarios_are_made_once_and_what_is_to_be_alone_is_alone,
        trials::a_scenario_that_cannot_be_tried_does_not_keep_the_others_from_it,
        trials::the_units_files_are_told_once_on_each_machine,
        trials::shards_make_every_case_once_and_are_merged,
        trials::what_is_healed_at_a_trials_end_is_told,
        trials::an_interrupted_run_keeps_what_it_has_and_is_resumed,
        trials::an_interrupt_is_heard_while_a_start_is_waited_for_and_leaves_no_fault_of_the_instruments,
        trials::trials_go_on_until_a_claim_is_shown_or_refuted,
        bad_input::the_evidence_of_a_failure_is_kept_when_asked_for,
        bad_input::a_machine_that_dies_in_a_run_breaks_the_run,
        bad_input::a_recording_on_a_full_disk_ends_the_run,
        bad_input::an_error_of_one_of_several_scenarios_names_it,
        truth::on_a_starved_host_a_good_service_passes_or_the_trial_is_unsound,
        // Of a dozen machines each.
        broken::everything_in_the_zoo_fails_for_its_own_reason,
        truth::a_service_of_which_the_journal_may_not_be_told_is_known_from_pid_1,
    ];
    let namespace = everywhere.into_iter().chain(in_namespaces).map(|test| trial(Backend::Namespace, test));
    namespace.chain(everywhere.map(|test| trial(Backend::Docker, test)))
}

/// As they are to be run.
fn in_order(mut tests: Vec<Trial>) -> Vec<Trial> {
    for name in LONGEST {
        assert!(tests.iter().any(|test| test.name().ends_with(name)), "no test has the name {name}");
    }
    tests.sort_by_key(|test| rank(test.name()));
    tests
}

/// A test by its name, on machines of this backend.
fn trial(backend: Backend, (name, test): (&'static str, fn(Backend) -> Completion)) -> Trial {
    let prefix = format!("{backend:?}").to_lowercase();
    Trial::ignorable_test(format!("{prefix}::{name}"), move || on(backend, name, test))
}

/// Of scenarios that want programs of the machine's tree: the image has none of these; a namespace machine has what its
/// host has.
fn of_scenarios() -> impl Iterator<Item = Trial> {
    let recovered = [
        ("a_loud_server_that_is_mute_to_clients_is_restarted", "loud"),
        ("nginx_that_is_stopped_is_restarted", "nginx-guarded"),
        ("redis_that_is_stopped_is_restarted", "redis-relayed"),
        ("a_python_server_that_is_stopped_is_restarted", "python-guarded"),
        ("a_grpc_server_that_is_stopped_is_restarted", "grpc-guarded"),
        ("a_server_at_a_unix_socket_that_is_stopped_is_restarted", "unix-guarded"),
        ("a_server_that_speaks_tls_and_is_stopped_is_restarted", "https-guarded"),
    ];
    let as_expected = [
        ("slow_servers_that_are_starved_are_left_alone", "starved"),
        ("a_slow_server_that_is_starved_at_its_start_comes_up", "starved-start"),
        ("a_starved_server_that_spins_is_restarted", "starved-spin"),
        ("a_service_flooded_by_strangers_is_left_alone", "flooded"),
        ("a_service_flooded_by_its_own_words_is_left_alone", "chatty"),
        ("a_service_flooded_by_signals_is_left_alone", "signalled"),
        ("a_resolver_that_fails_does_not_fail_the_service", "resolver-lost"),
        ("a_service_that_systemd_would_not_start_again_is_started_by_its_guard", "guard-restart-no"),
        ("a_hung_service_that_nobody_is_to_start_again_is_left_as_it_is", "guard-restart-unit"),
        ("a_server_that_only_the_second_set_of_its_guard_finds_mute_is_restarted", "guarded-second-set"),
        ("a_service_whose_guard_probes_a_wrong_port_is_left_alone", "guard-wrong-port"),
        ("what_an_outage_costs_many_clients_is_counted", "mute-under-load"),
        ("a_mute_server_that_a_command_asks_is_restarted", "observed-by-command"),
        ("a_built_in_watchdog_that_asks_the_workers_finds_the_hang", "notify-gated"),
        ("a_built_in_watchdog_that_asks_nobody_hides_the_hang", "notify-ungated"),
    ];
    let heard = [
        ("a_wrapped_service_that_pings_itself_is_heard_and_restarted", "notify-gated-wrapped"),
        ("a_wrapped_service_whose_pings_never_end_is_heard_and_restarted", "notify-ungated-wrapped"),
    ];
    let unguarded = [("a_starved_server_that_nobody_guards_serves", "starved")];
    let hung = [("a_starved_server_that_hangs_is_restarted", "starved-spin")];
    let stopped = [("a_starved_slow_server_that_is_stopped_is_restarted", "starved")];
    let by_fault = [
        ("a_server_that_is_stopped_and_its_guard_is_not_comes_back", "sigstop-main"),
        ("a_server_that_is_killed_is_started_again", "kill"),
        ("a_service_whose_guard_is_stopped_is_restarted_by_systemds_own_timer", "stop-watchdog"),
        ("a_service_whose_guard_is_killed_is_started_again_with_it", "kill-watchdog"),
        ("a_service_that_is_frozen_with_its_guard_is_killed_and_started_again", "freeze"),
        ("a_server_that_nothing_gets_through_to_is_given_up", "port-drop"),
        ("a_server_that_few_packets_do_not_reach_is_left_alone", "loss"),
        ("a_server_that_packets_reach_late_is_left_alone", "latency"),
        ("a_server_that_is_probed_by_a_name_nobody_resolves_is_left_alone", "resolver-down"),
        ("a_service_starved_by_a_fault_is_left_alone", "cpu-starve"),
        ("a_server_without_memory_is_restarted", "memory-pressure"),
        ("a_server_whose_disk_is_full_is_restarted", "disk-full"),
        ("a_server_whose_file_does_not_open_is_restarted", "io-hang"),
        ("a_server_whose_file_does_not_open_is_left_as_it_is_by_who_only_connects", "io-hang-tcp"),
        ("a_service_is_left_alone_while_systemd_reads_its_units_anew", "daemon-reload"),
        ("a_service_is_left_alone_while_systemd_executes_itself_anew", "daemon-reexec"),
        ("a_service_is_left_alone_while_journald_is_killed", "journald-kill"),
        ("a_service_is_left_alone_while_systemds_ear_is_flooded", "notify-socket-full"),
        ("the_hosts_clock_is_not_stepped", "clock-step"),
        ("a_server_that_a_command_of_ones_own_stops_comes_back", "exec"),
        ("a_service_that_is_asked_to_stop_ends_in_order_and_stays_down", "stop"),
        ("a_service_that_is_reloaded_serves_on", "reload"),
    ];
    of_each(recovered, peers::is_recovered)
        .chain(of_each(by_fault, faults::is_answered))
        .chain(of_each(as_expected, peers::is_as_expected))
        .chain(of_each(heard, peers::is_heard_and_recovered))
        .chain(of_each(unguarded, starvation::serves_where_nobody_guards_it))
        .chain(of_each(hung, starvation::is_restarted_whatever_the_hang))
        .chain(of_each(stopped, starvation::is_restarted_when_it_is_stopped))
}

/// One test of each of these scenarios, by the names of both.
fn of_each<const N: usize, R: Returned + 'static>(
    scenarios: [(&'static str, &'static str); N],
    test: fn(&str) -> R,
) -> impl Iterator<Item = Trial> {
    scenarios.into_iter().map(move |(name, scenario)| {
        let test = move || {
            let loaded = lab::scenario(scenario);
            assert!(!loaded.alone || is_alone(name), "{scenario} is to be alone, and {name} is not");
            on_peer(name, || test(scenario), &loaded.service.requires)
        };
        Trial::ignorable_test(format!("namespace::{name}"), test)
    })
}

/// Of what scenarios bring, and of what packages bring for their services.
fn of_files() -> impl Iterator<Item = Trial> {
    let everywhere = tests![scenario_files::files_come_with_the_mode_of_their_source_and_with_their_owner];
    let in_namespaces = tests![
        scenario_files::a_limit_that_nothing_enforces_is_named_and_a_controller_that_is_required_is_skipped_for,
        scenario_files::a_unit_that_cannot_be_enabled_is_told_with_systemctls_words,
        scenario_files::a_matrix_is_run_case_by_case,
        scenario_files::a_question_is_asked_without_a_file,
    ];
    let namespace = everywhere.into_iter().chain(in_namespaces).map(|test| trial(Backend::Namespace, test));
    let packaged = scenario_files::PACKAGED.iter().map(|packaged| {
        let name = format!("namespace::{}_as_packaged_finds_what_its_package_brings", packaged.unit);
        let requires = BTreeMap::from([(packaged.program.to_owned(), packaged.package.to_owned())]);
        let test = || scenario_files::finds_what_its_package_brings(packaged);
        Trial::ignorable_test(name.clone(), move || on_peer(&name, test, &requires))
    });
    namespace.chain(everywhere.map(|test| trial(Backend::Docker, test))).chain(packaged)
}

type OfPackage = fn(&Package);

/// Of services as Debian packages them.
fn of_packages() -> impl Iterator<Item = Trial> {
    let tests: [(&str, OfPackage); 2] = [
        ("comes_back", packaged::comes_back_however_it_was_started_and_whatever_its_restart_says),
        ("is_not_ended_for_good", packaged::is_not_ended_for_good),
    ];
    let packages = [Package::dnsmasq, Package::tinyproxy, Package::postgresql];
    packages.into_iter().flat_map(move |package| {
        tests.map(|(what, test)| {
            let package = package();
            let (path, debian) = package.needs;
            let requires = BTreeMap::from([(path.to_owned(), debian.to_owned())]);
            let name = format!("namespace::guarded_{debian}_{what}");
            Trial::ignorable_test(name.clone(), move || on_peer(&name, || test(&package), &requires))
        })
    })
}

/// Of services as Debian packages them, in front of which `sd-watchdog` is.
fn of_wrapped_packages() -> impl Iterator<Item = Trial> {
    let tests = tests![
        reloading::a_service_that_drains_while_it_reloads_is_not_taken_for_one_that_hangs,
        wrapped::a_packaged_service_is_as_clean_behind_its_drop_in_and_recovers_from_a_hang,
    ];
    tests.into_iter().map(|(name, test)| {
        let run = move || drop(test(Backend::Namespace));
        let run = move || on_peer(name, run, &wrapped::needs().collect());
        Trial::ignorable_test(format!("namespace::{name}"), run)
    })
}

/// Runs a test that wants files of the machine's tree, each of a package.
fn on_peer<R: Returned>(
    name: &str,
    test: impl Fn() -> R,
    requires: &BTreeMap<String, String>,
) -> Result<Completion, Failed> {
    match requires.iter().find(|(path, _)| !lab::root().join(path.trim_start_matches('/')).exists()) {
        None => on(Backend::Namespace, name, |_| test()),
        // A tree of another suite's is brought for its systemd alone.
        Some((path, package)) if std::env::var_os("CI").is_some() && lab::root() == Path::new("/") => {
            Err(format!("in CI there must be {path}: apt-get install {package}").into())
        }
        Some((path, package)) => {
            Ok(Completion::ignored_with(format!("needs {path}: apt-get install {package}")))
        }
    }
}

/// Runs a test, beside others unless it is to be alone. Where its trial has come to no verdict, since the computer was too busy for one,
/// that is no failure of what is tested: it is made again, with the computer to itself. Whatever else fails has failed.
fn to_a_verdict<R>(name: &str, test: impl Fn() -> R) -> R {
    let mut outcome = if is_alone(name) { alone(&test) } else { beside_others(&test) };
    for _ in 0..AGAIN {
        let Some(reason) = outcome.as_ref().err().and_then(|_| lab::forget_unsound()) else { break };
        eprintln!("{name}: no verdict ({reason}); it is made again, alone");
        outcome = alone(&test);
    }
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}

/// How often a test is made again that came to no verdict.
const AGAIN: u32 = 2;

fn beside_others<R>(test: impl Fn() -> R) -> std::thread::Result<R> {
    let _beside_others = CPUS.read().unwrap_or_else(PoisonError::into_inner);
    attempt(test)
}

fn alone<R>(test: impl Fn() -> R) -> std::thread::Result<R> {
    let _alone = CPUS.write().unwrap_or_else(PoisonError::into_inner);
    attempt(test)
}

fn attempt<R>(test: impl Fn() -> R) -> std::thread::Result<R> {
    lab::forget_unsound();
    catch_unwind(AssertUnwindSafe(test))
}

fn on<R: Returned>(backend: Backend, name: &str, test: impl Fn(Backend) -> R) -> Result<Completion, Failed> {
    match backend.available() {
        Ok(()) => Ok(to_a_verdict(name, || test(backend)).completion()),
        Err(error) if std::env::var_os("CI").is_some() => {
            Err(format!("in CI machines must boot: {error}").into())
        }
        Err(error) => Ok(Completion::ignored_with(error)),
    }
}
