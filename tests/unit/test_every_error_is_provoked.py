"""Every class of errors.py is provoked: here stands by which test, each of which meets it on real bad input.

A test that is renamed, or that no longer asks for the class or its exit code, must be replaced by one that does.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from error_form import CLASSES

TESTS = Path(__file__).parents[1]

PROVOKED_BY = {
    "SystemRefused": "cli/test_full_disk.py::test_a_folder_for_reading_only_is_a_message",
    "VoyageFileError": "cli/test_bad_input_at_home.py::test_a_voyage_toml_with_a_typo",
    "NotAVoyage": "cli/test_audit.py::test_what_is_no_record_and_what_is_no_list_of_keys_is_refused",
    "StageNotReady": "cli/test_declare_form.py::test_nothing_is_asked_of_six_answers_that_are_not_signed",
    "VoyageLocked": "cli/test_command_line.py::test_a_locked_voyage_is_a_message",
    "DocumentError": "cli/test_audit.py::test_what_is_no_record_and_what_is_no_list_of_keys_is_refused",
    "SiteUnfit": "unit/stages/test_inspect.py::test_other_samples_than_the_rehearsal_s_make_the_site_unfit",
    "WrongRole": "cli/test_command_line.py::test_a_verb_of_another_party_is_refused",
    "VoyageExists": "cli/test_command_line.py::test_init_twice_is_refused",
    "SourceUnreadable": "cli/test_bad_input_at_home.py::test_a_source_that_is_not_there",
    "SourceChanged": "unit/dataset/adopt/test_unit.py::test_a_shard_that_is_written_to_while_it_is_read_is_no_damaged_shard",
    "TooManyRejects": "unit/dataset/looking/test_rows_aside.py::test_a_run_that_stopped_has_left_its_own_table",
    "NothingToCarry": "unit/stages/test_pack_folder.py::test_an_empty_folder_is_nothing_to_carry",
    "MissingDependency": "cli/test_custody.py::test_a_stamp_without_the_extra_says_which_extra",
    "WorkerCrashed": "unit/volume/test_sealers.py::test_a_process_that_dies_is_named_and_another_takes_its_place",
    "HostUnfit": "unit/dataset/test_work_units.py::test_a_unit_whose_files_do_not_arrive_here_is_an_error_and_not_left_out",
    "ClusterUnreachable": "cli/test_full_disk.py::test_a_cluster_that_is_not_there_is_named",
    "HostsLost": "unit/stages/test_load_on_hosts.py::test_a_host_that_is_lost_costs_what_it_had_not_finished",
    "DriveMissing": "cli/test_check_repairs.py::test_onto_a_spare_and_refused_when_it_is_not_empty",
    "DriveFull": "cli/test_bad_input_at_home.py::test_a_drive_without_room_for_what_it_is_to_hold",
    "DuplicateDrive": "cli/test_bad_input_at_home.py::test_the_same_folder_as_two_drives_of_a_plan",
    "ForeignDrive": "cli/test_bad_input_at_home.py::test_packing_over_a_drive_of_another_shipment",
    "SupersededDrive": "unit/stages/test_pack_waves.py::test_the_failed_drive_is_refused_by_name_once_it_was_replaced",
    "DriveFailed": "unit/devices/test_clear.py::test_what_cannot_be_removed_is_named",
    "PlacementImpossible": "unit/erasure/test_placement.py::test_one_case_cannot_survive_the_loss_of_a_case",
    "DriveInUse": "cli/test_drives.py::test_a_mount_below_the_drive_stops_clearing",
    "DriveNotClosed": "unit/volume/test_discover.py::test_a_drive_that_was_never_closed_says_so",
    "StoreInUse": "unit/volume/test_reader.py::test_a_load_that_stops_leaves_only_pieces_of_cut_files_in_the_clear_and_goes_on",
    "StoreUnreachable": "unit/object_storage/test_connection.py::test_no_server_is_a_clear_error",
    "IntegrityError": "cli/test_check_repairs.py::test_repair_mends_reports_and_is_an_entry_of_the_holders_custody_log",
    "BeyondRepair": "cli/test_bad_input_at_site.py::test_a_volume_tampered_beyond_the_code",
    "IncompleteKnowledge": "unit/stages/test_load.py::test_check_without_a_shipment_document_does_not_end_well",
    "HostileArchive": "property/test_volume_properties.py::test_a_tar_cut_at_any_byte_is_refused",
    "AgeFormatError": "property/test_crypto_properties.py::test_a_piece_of_an_ssh_envelope_replaced_anywhere_is_refused",
    "MoreDrivesWanted": "cli/test_next_step.py::test_between_waves_the_bays_and_the_next_drives_are_told_again",
    "GroupSplit": "unit/stages/test_load_on_hosts.py::test_a_split_group_is_refused_with_its_moves_before_anything_is_read",
    "SignatureMissing": "cli/test_check_repairs.py::test_signed_lists_every_document_and_ends_with_the_code_of_the_first_bad_one",
    "SignatureInvalid": "cli/test_check_repairs.py::test_signed_lists_every_document_and_ends_with_the_code_of_the_first_bad_one",
    "UntrustedSigner": "cli/test_bad_input_at_site.py::test_a_drive_closed_by_a_stranger",
    "CustodyBroken": "unit/diligence/test_apart_logs.py::test_a_log_that_was_given_is_not_replaced_by_another_story",
    "KeyMissing": "cli/test_bad_input_at_site.py::test_a_missing_key",
    "WrongKey": "cli/test_bad_input_at_site.py::test_a_wrong_key",
    "KeyMalformed": "interop/test_model_signing.py::test_a_key_of_another_kind_is_refused",
    "KeyExists": "unit/crypto/test_sshsig.py::test_a_key_is_never_written_over",
    "DeclarationMissing": "cli/test_bad_input_at_home.py::test_pack_without_a_declaration",
    "DeclarationIncomplete": "docs/test_diligence_docs.py::test_the_empty_form_has_no_typo_and_misses_every_answer",
    "FullFormNeeded": "cli/test_declare_form.py::test_a_voyage_over_a_border_is_led_from_no_file_to_a_signed_full_form",
    "NotAdmitted": "cli/test_bad_input_at_site.py::test_loading_without_an_admission",
    "AdmissionRefused": "unit/stages/test_admit.py::test_a_refusal_is_signed_and_opens_nothing",
    "AdmissionHeld": "cli/test_next_step.py::test_a_verdict_that_is_not_admit_is_said",
    "DossierError": "cli/test_audit.py::test_what_is_no_record_and_what_is_no_list_of_keys_is_refused",
    "AnswerChanged": "cli/test_declare_ask.py::test_a_changed_answer_needs_amend_and_shows_both",
    "DeclarationFileError": "unit/diligence/test_full_form.py::test_what_cannot_be_an_answer_is_refused",
    "DeclarationExceeded": "unit/stages/test_pack.py::test_more_than_declared_is_refused",
    "KitError": "unit/training/test_kit.py::test_site_with_another_version_is_told_what_was_expected",
    "RehearsalFailed": "unit/stages/test_pack.py::test_a_broken_rehearsal_refuses",
    "TrainingFailed": "unit/engines/test_local.py::test_a_program_that_always_fails_is_tried_as_often_as_asked_and_its_log_named",
    "WorkerStalled": "unit/engines/test_local.py::test_a_worker_without_progress_is_ended_by_the_watchdog",
    "DataOrderChanged": "unit/stages/test_lineage.py::test_a_step_of_a_training_that_nobody_knows_asks_for_the_batch",
    "LockUnreadable": "unit/training/kit_lock/test_read.py::test_a_damaged_lock_is_read_or_refused_and_nothing_else",
    "WheelUnavailable": "unit/training/kit_lock/test_fetch.py::test_a_line_that_stays_broken_is_told_and_the_next_command_goes_on",
    "KitUpdateRefused": "unit/stages/test_kit_lost.py::test_after_one_update_load_and_its_file_bring_the_kit_back",
    "PageNotServed": "unit/web/test_server.py::test_a_port_that_is_taken_is_named",
    "ExportDenied": "unit/stages/test_homecoming.py::test_what_may_not_leave_is_denied",
    "ClosingRefused": "unit/stages/test_close.py::test_nobody_closes_before_the_results_are_home",
    "PiecesIncomplete": "unit/stages/test_pieces.py::test_what_is_missing_cut_and_damaged_is_told_with_bytes_and_listed_for_sending",
    "WeightsUnopenable": "unit/training/test_weights_codec.py::test_without_its_base_a_difference_is_not_opened_and_the_message_names_it",
    "SanitisingFailed": "cli/test_sanitise.py::test_a_drive_on_which_somebody_keeps_other_things_is_refused",
    "NotEmpty": "cli/test_sanitise.py::test_reading_back_catches_a_tool_that_lies",
    "ProvenanceBroken": "unit/stages/test_pieces.py::test_an_outbox_that_home_would_refuse_for_its_provenance_is_not_cut",
    "MachineUnready": "unit/doctor/test_looks.py::test_a_mount_that_hangs_is_told_and_hangs_nothing",
    "ListUnreadable": "cli/test_lists.py::test_a_bad_file_is_one_message_with_its_line",
    "ListMissing": "unit/diligence/lists/test_adding.py::test_a_label_that_was_never_added_is_missing",
    "RulePackError": "unit/diligence/rules/test_pack.py::test_a_pack_with_a_fault_is_refused_with_the_place",
    "PolicyError": "unit/diligence/rules/test_policy.py::test_a_policy_that_is_milder_or_means_nothing_is_refused",
    "GroupUnreadable": "cli/test_rules.py::test_a_group_of_no_country_is_refused",
    "AnswerRefused": "unit/diligence/rules/test_answers.py::test_a_stop_cannot_be_answered_without_an_exception",
    "CandidateUnknown": "unit/stages/test_screen.py::test_an_answer_names_one_candidate",
    "CustomsFileError": "cli/test_papers.py::test_a_mistake_in_customs_toml_names_the_line_and_the_number_to_leave_with",
    "CustomsIncomplete": "cli/test_papers.py::test_from_no_form_to_the_printed_pages",
    "CustodyContradicted": "cli/test_custody.py::test_a_log_that_a_head_contradicts_ends_with_113_and_says_what",
    "CodeUnreadable": "unit/record/test_line_code.py::test_any_flipped_character_is_refused",
    "KeyRevoked": "cli/test_custody.py::test_a_key_is_revoked_by_the_second_person",
    "RecordFaulty": "cli/test_audit.py::test_the_log_of_the_other_party_shows_a_cut_tail",
    "RecordUnvouched": "cli/test_audit.py::test_without_vouched_keys_the_exit_code_says_so",
}


@cache
def _functions(file: str) -> dict[str, str]:
    text = (TESTS / file).read_text(encoding="utf-8")
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    return {node.name: ast.get_source_segment(text, node) or "" for node in functions}


def test_every_class_has_a_test() -> None:
    assert PROVOKED_BY.keys() == CLASSES.keys()


@pytest.mark.parametrize("kind", sorted(PROVOKED_BY))
def test_the_test_is_there_and_asks_for_the_class_or_its_code(kind: str) -> None:
    file, _, name = PROVOKED_BY[kind].partition("::")

    body = _functions(file)[name]
    code = CLASSES[kind].exit_code
    # The code may have a name in that file.
    constants = rf"^(?:\w+, )*(\w+)(?:, \w+)* = .*\b(?:{code}|{kind}\.exit_code)\b"
    names = re.findall(constants, (TESTS / file).read_text(encoding="utf-8"), re.MULTILINE)
    asked = [rf"\b{kind}\b", rf"code\b.*\b{code}\b", rf"refus\w+\(.*\b{code}\)", *(rf"\b{name}\b" for name in names)]
    assert re.search("|".join(asked), body), body
