"""Diffusion of random fields whose denoiser is known exactly: the sampler of the painter in the box.

The data here are Gaussian: smooth random fields with a power-law spectrum S around a mean M that the prompt gives. For
such data the best denoiser of a noisy x at noise level s is M + S / (S + s^2) * (x - M), frequency by frequency, so
the probability flow of diffusion can be followed without any network and without a Fourier transform per step.
`guidance` moves M away from the mean of what should not be seen, as classifier-free guidance does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Fields = NDArray[np.floating[Any]]
"""K x height x width."""

_SIGMA_MAX, _SIGMA_MIN, _RHO = 80.0, 0.02, 7.0


def spectrum(height: int, width: int, roughness: float) -> NDArray[np.float64]:
    """The variance of each frequency (rfft2's layout), such that a field's pixels have variance 1.

    `roughness` 0 is the smoothest, 1 close to white noise.
    """
    scale = max(height, width)
    fy, fx = np.fft.fftfreq(height)[:, None] * scale, np.fft.rfftfreq(width)[None, :] * scale
    power = (fy**2 + fx**2 + 1.5**2) ** -(2.0 - 1.4 * roughness)
    power[0, 0] = 0.0  # a field's own mean says nothing: M has it
    doubled = 2 * power.sum() - power[:, 0].sum() - (power[:, -1].sum() if width % 2 == 0 else 0.0)
    result: NDArray[np.float64] = power * (height * width) / doubled
    return result


def sample(mean: Fields, against: Fields, *, seed: int, steps: int, guidance: float, roughness: float) -> Fields:
    """Draw K fields.

    Args:
        mean: what the prompt asks for, K x height x width.
        against: the mean of what should not be seen, or of nothing in particular.
        seed: 0 to 2^32 - 1; the generator is numpy's legacy one, whose stream is frozen for ever.
        steps: Euler steps of the flow.
        guidance: 1 follows the prompt as it is, 0 ignores it.
        roughness: see `spectrum`.
    """
    count, height, width = mean.shape
    power = spectrum(height, width, roughness)[None]
    guided = np.fft.rfft2(against + guidance * (mean - against))
    noise = np.random.RandomState(seed).standard_normal((count, height, width))
    x = guided + _SIGMA_MAX * np.fft.rfft2(noise)
    for sigma, following in zip(levels := _levels(steps), levels[1:], strict=False):
        clean = guided + power / (power + sigma**2) * (x - guided)
        x = x + (x - clean) * ((following - sigma) / sigma)
    return np.fft.irfft2(x, s=(height, width)).astype(np.float32)


def _levels(steps: int) -> list[float]:
    """Noise levels from the highest to nothing (Karras et al. 2022, equation 5)."""
    ramp = np.linspace(0, 1, max(steps, 2))
    high, low = _SIGMA_MAX ** (1 / _RHO), _SIGMA_MIN ** (1 / _RHO)
    return [*((high + ramp * (low - high)) ** _RHO).tolist(), 0.0]
