from dataclasses import replace

from dtinterp.report.results import StudyResults
from tests.dtinterp.report.conftest import planted, section_of


def test_every_configuration_is_shown_from_above_and_from_within(results: StudyResults) -> None:
    section = section_of("world", results)
    for name in ("Key,Key-Ball", "Key,Ball-Key", "Ball,Ball-Key", "Ball,Key-Ball"):
        assert section.count(f'alt="the world from above, {name}"') == 1
    assert section.count('class="frame large"') == 4


def test_states_and_frames_are_those_of_the_state_graph(results: StudyResults) -> None:
    section = section_of("world", results)
    assert "160 states that show 96 distinct observations" in section
    assert f">{len(results.demonstrations.value.frames)} of them</a>" in section
    assert results.demonstrated.state_coverage is not None
    assert "and pass through <a" in section
    assert f">{100 * results.demonstrated.state_coverage:.1f}% of the states</a>" in section


def test_every_sampler_has_a_row_with_its_success_and_its_actions(results: StudyResults) -> None:
    section = section_of("world", results)
    for sampler, judged in results.demonstrated.by_sampler.items():
        row = section.split(f"<td>{sampler}</td>")[1].split("</tr>")[0]
        assert f">{judged.n_episodes}</td>" in row
        assert judged.success is not None
        assert f'<span class="number">{judged.success.estimate:.2f}' in row
        assert f">{judged.action_share[2]:.3g}</td>" in row
    assert "forward</th>" in section


def test_duplicates_are_counted(results: StudyResults) -> None:
    assert f"{results.demonstrated.n_distinct_episodes} episodes differ" in section_of("world", results)


def test_a_sampler_that_an_interrupted_collection_never_came_to_is_not_shown_at_work(results: StudyResults) -> None:
    trajectories = results.demonstrations.value
    cut_short = replace(trajectories, samplers=(*trajectories.samplers, "greedy"))
    assert "drawn by greedy" not in section_of("world", planted(results, cut_short))


def test_under_each_sampler_the_demonstrator_is_shown_at_work_in_an_episode_of_median_length(
    results: StudyResults,
) -> None:
    trajectories = results.demonstrations.value
    strips = section_of("world", results).split("The demonstrator at work")[:-1]
    assert len(strips) == len(trajectories.samplers)
    for sampler, strip in enumerate(strips):
        median = int(trajectories.length[trajectories.sampler == sampler].median())
        assert strip.split("<figure")[-1].count("<frame") == min(median, 20)
