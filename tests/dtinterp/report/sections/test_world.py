from dtinterp.report.results import StudyResults
from dtinterp.report.sections.world import world_section


def test_every_configuration_is_shown_from_above_and_from_within(results: StudyResults) -> None:
    section = world_section(results)
    for name in ("Key,Key-Ball", "Key,Ball-Key", "Ball,Ball-Key", "Ball,Key-Ball"):
        assert section.count(f'alt="the world from above, {name}"') == 1
    assert section.count('class="frame large"') == 4


def test_states_and_frames_are_those_of_the_state_graph(results: StudyResults) -> None:
    section = world_section(results)
    assert "160 states that show 96 distinct observations" in section
    assert f">{len(results.demonstrations.value.frames)} of them</a>" in section


def test_every_sampler_has_a_row_with_its_success_and_its_actions(results: StudyResults) -> None:
    section = world_section(results)
    for sampler, judged in results.demonstrated.by_sampler.items():
        row = section.split(f"<td>{sampler}</td>")[1].split("</tr>")[0]
        assert f">{judged.n_episodes}</td>" in row
        assert judged.success is not None
        assert f'<span class="number">{judged.success.estimate:.2f}' in row
        assert f">{judged.action_share[2]:.3g}</td>" in row
    assert "forward</th>" in section


def test_duplicates_are_counted(results: StudyResults) -> None:
    assert f"{results.demonstrated.n_distinct_episodes} episodes differ" in world_section(results)
