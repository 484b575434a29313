"""Algorithms 1 and 2 on tensors: what the map depends on, what it does not, and the source's traps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import filters

from napari_mrsynth.structure.maps import _mean, background_mask, blurred, structural_map, without_lesion
from phantoms import phantom

BETA = 0.05


def slices(count: int = 3, contrast: str = "T1w") -> torch.Tensor:
    """Axial slices of the phantom, shape (S, A, R)."""
    display = phantom((36, 44, 32), contrast=contrast, noise=0.02).display
    middle = display.shape[0] // 2
    return torch.from_numpy(np.array(display[middle - 4 : middle - 4 + 3 * count : 3]))


def reference_map(plane: np.ndarray, beta: float) -> np.ndarray:
    """Algorithm 1 in another library: scikit-image's Sobel, float64."""
    rows, columns = filters.sobel_h(plane.astype(float)), filters.sobel_v(plane.astype(float))
    low, high = np.minimum(rows, columns), np.maximum(rows, columns)
    low = (low - low.min()) / (low.max() - low.min())
    high = (high - high.min()) / (high.max() - high.min())
    return (low.mean() - low > beta) | (high - high.mean() > beta)


@pytest.mark.parametrize("beta", [0.03, 0.06, 0.12])
def test_the_map_is_that_of_another_sobel(beta):
    for plane in slices():
        ours = structural_map(plane, beta).numpy() > 0
        other = reference_map(plane.numpy(), beta)
        assert 0 < ours.mean() < 0.9
        assert (ours != other).mean() < 1e-3  # rounding at the threshold, nothing else


def test_both_reductions_are_normalised_so_the_scanners_units_do_not_matter():
    images = slices()
    made = structural_map(images, BETA)
    for scale in (2.0**-9, 2.0**7):  # powers of two: not one bit may change
        assert torch.equal(structural_map(images * scale, BETA), made)
    assert (structural_map(images * 37.7 + 11, BETA) != made).float().mean() < 1e-3


def test_both_rising_and_falling_edges_are_found():
    plane = torch.zeros(20, 20)
    plane[:, 7:13] = 1.0
    made = structural_map(plane, BETA)
    assert made[:, 6:8].all()
    assert made[:, 12:14].all()
    assert not made[:, 9:11].any()


def test_turning_a_slice_by_180_degrees_turns_its_map_and_mirroring_does_not():
    images = slices()
    made = structural_map(images, BETA)
    turned = structural_map(images.flip(-2, -1), BETA).flip(-2, -1)
    mirrored = structural_map(images.flip(-1), BETA).flip(-1)
    assert (turned != made).float().mean() < 1e-3
    assert 0 < (mirrored != made).float().mean() < 0.2


def test_the_map_is_zero_or_one_and_a_lower_threshold_only_adds_edges():
    images = slices()
    few, many = structural_map(images, 0.1), structural_map(images, 0.03)
    assert set(few.unique().tolist()) == {0.0, 1.0}
    assert (many >= few).all()
    assert many.sum() > few.sum()


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    beta=st.floats(0.01, 0.3),
    blur=st.sampled_from([0.0, 0.4, 1.3]),
)
@settings(max_examples=30, deadline=None)
def test_a_slice_has_the_same_bits_alone_in_a_batch_and_with_gradients(seed, shape, beta, blur):
    generator = torch.Generator().manual_seed(seed)
    batch = torch.rand((5, *shape), generator=generator) * 900
    together = structural_map(batch, beta, blur_mm=blur)
    alone = torch.stack([structural_map(plane, beta, blur_mm=blur) for plane in batch])
    training = structural_map(batch.clone().requires_grad_(), beta, blur_mm=blur).detach()
    five_axes = structural_map(batch[None, :, None], beta, blur_mm=blur)[0, :, 0]
    assert torch.equal(together, alone)
    assert torch.equal(together, training)
    assert torch.equal(together, five_axes)


def test_the_bits_do_not_depend_on_the_number_of_threads():
    images = torch.rand(3, 400, 400, generator=torch.Generator().manual_seed(0))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = structural_map(images, BETA, blur_mm=1.0)
        torch.set_num_threads(3)
        assert torch.equal(structural_map(images, BETA, blur_mm=1.0), one)
        assert torch.equal(structural_map(images[1], BETA, blur_mm=1.0), one[1])
    finally:
        torch.set_num_threads(threads)


def test_the_mean_of_a_slice_does_not_depend_on_the_order_of_its_pixels():
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        values = torch.rand(97, 131, generator=generator)
        order = torch.randperm(values.numel(), generator=generator)
        assert torch.equal(_mean(values.flatten()[order].reshape(131, 97)), _mean(values))
        assert float(_mean(values)) == pytest.approx(float(values.double().mean()), abs=1e-7)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_bits_are_the_same_on_a_gpu():
    images = slices()
    for blur in (0.0, 0.8):
        on_gpu = structural_map(images.cuda(), BETA, blur_mm=blur).cpu()
        assert torch.equal(on_gpu, structural_map(images, BETA, blur_mm=blur))
    assert torch.equal(background_mask(images.cuda()).cpu(), background_mask(images))


def test_half_precision_input_is_computed_in_full():
    images = slices().bfloat16()
    assert structural_map(images, BETA).dtype == torch.float32
    assert torch.equal(structural_map(images, BETA), structural_map(images.float(), BETA))


def test_a_loss_on_the_map_moves_the_image_towards_the_wanted_map():
    wanted = structural_map(slices(1), BETA)
    image = blurred(slices(1), 1.5).requires_grad_()
    optimiser = torch.optim.Adam([image], lr=4.0)
    losses = []
    for _ in range(30):
        loss = (structural_map(image, BETA) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        assert image.grad is not None
        assert torch.isfinite(image.grad).all()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert min(losses) < 0.7 * losses[0]


def test_a_slice_of_one_value_has_no_edges_and_no_bad_numbers():
    image = torch.full((2, 8, 9), 5.0, requires_grad=True)
    made = structural_map(image, BETA, blur_mm=1.0)
    made.sum().backward()
    assert not made.any()
    assert torch.isfinite(image.grad).all()


def test_blur_is_in_millimetres_and_equal_to_scipys():
    from scipy import ndimage

    plane = slices(1)[0]
    ours = blurred(plane, 1.5, (0.5, 2.0)).numpy()
    other = ndimage.gaussian_filter(plane.numpy().astype(float), (3.0, 0.75), mode="nearest", truncate=4.0)
    np.testing.assert_allclose(ours, other, rtol=1e-4, atol=1e-3)


def test_derivatives_are_per_millimetre():
    ramp = torch.zeros(16, 16)
    ramp[4:12, 4:12] = 1.0
    stretched = ramp.repeat_interleave(3, dim=0)
    even = structural_map(stretched, 0.4)
    in_mm = structural_map(stretched, 0.4, spacing_mm=(1.0, 3.0))
    assert not torch.equal(even, in_mm)


# ---------------------------------------------------------------------- algorithm 2


def disc(shape=(40, 50), centre=(22, 20), radius=9) -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.arange(shape[0]), torch.arange(shape[1]), indexing="ij")
    return (((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2) <= radius**2).float()


def extent(mask: torch.Tensor) -> tuple[int, int]:
    rows, columns = torch.nonzero(mask.any(-1)), torch.nonzero(mask.any(-2))
    return int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1


def test_the_mask_is_the_background_and_not_the_brain():
    brain = disc()
    assert torch.equal(background_mask(brain, 0), 1 - brain)


def test_small_negative_values_are_background():
    brain = disc() - 0.001 * (1 - disc())
    assert torch.equal(background_mask(brain, 0), 1 - disc())


@pytest.mark.parametrize("expand", [1, 2, 4, 5, 10])
def test_expansion_grows_the_brains_box_by_so_many_pixels_and_keeps_the_brain(expand):
    brain = disc()
    grown = 1 - background_mask(brain, expand)
    assert (grown >= brain).all()
    height, width = extent(brain)
    odd = expand % 2  # pixels are added in pairs, so that both sides grow alike
    assert extent(grown) == (height + expand + odd, width + expand + odd)


def test_expansion_does_not_depend_on_where_in_the_picture_the_brain_lies():
    near = 1 - background_mask(disc(centre=(12, 12)), 6)
    far = 1 - background_mask(disc(centre=(26, 36)), 6)
    assert torch.equal(near.roll((14, 24), (0, 1)), far)


@given(
    rows=st.integers(3, 30), columns=st.integers(3, 30), expand=st.integers(0, 12), seed=st.integers(0, 999)
)
@settings(max_examples=40, deadline=None)
def test_expansion_never_loses_brain_and_mirrors_with_the_slice(rows, columns, expand, seed):
    image = (torch.rand((2, rows, columns), generator=torch.Generator().manual_seed(seed)) > 0.6).float()
    mask = background_mask(image, expand)
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    assert not (mask * image).any()
    assert torch.equal(background_mask(image.flip(-1), expand).flip(-1), mask)
    assert torch.equal(background_mask(image.flip(-2), expand).flip(-2), mask)


def test_an_empty_slice_is_all_background():
    assert background_mask(torch.zeros(2, 6, 7), 5).all()


# ---------------------------------------------------------------------- lesions


def test_removing_a_lesion_takes_its_edges_and_no_others():
    images = slices()
    made = structural_map(images, 0.03)
    labels = torch.zeros(made.shape, dtype=torch.int64)
    labels[:, 15:25, 12:22] = 4
    left = without_lesion(made, labels)
    assert made[:, 15:25, 12:22].any()
    assert not left[labels > 0].any()
    assert torch.equal(left[labels == 0], made[labels == 0])
