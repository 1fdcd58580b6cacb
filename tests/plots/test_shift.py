from lightning_vi.plots import shift_curves


def test_a_panel_for_each_score_and_a_line_for_each_model() -> None:
    panels = {
        "Error (%)": {"SGD": [1.0, 9.0, 40.0], "BBB": [1.0, 8.0, 35.0]},
        "Entropy (nats)": {"SGD": [0.1, 0.2, 0.3], "BBB": [0.1, 0.4, 0.8]},
    }
    figure = shift_curves([0.0, 15.0, 30.0], panels, "Angle (degrees)", "Rotated digits")
    for axes, (score, curves) in zip(figure.axes, panels.items(), strict=True):
        assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_xlim()) == ("Angle (degrees)", score, (0.0, 30.0))
        for line, values in zip(axes.lines, curves.values(), strict=True):
            assert list(line.get_xdata()) == [0.0, 15.0, 30.0]  # type: ignore[arg-type]
            assert list(line.get_ydata()) == values  # type: ignore[arg-type]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["SGD", "BBB"]
    assert figure.get_suptitle() == "Rotated digits"
    figure.draw_without_rendering()
