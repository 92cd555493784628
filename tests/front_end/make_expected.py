"""Writes expected.npz, what the libraries make of a second of sound: python make_expected.py, with torch, torchaudio,
librosa and kaldi-native-fbank installed. Tests read the file, so that they need none of these."""

from __future__ import annotations

from pathlib import Path

import kaldi_native_fbank
import librosa
import numpy as np
import torch
import torchaudio
from numpy.typing import NDArray


def sound() -> NDArray[np.int16]:
    """Noise, a glide, a chord with a beat, clicks and near silence."""
    rng, time = np.random.default_rng(0), np.arange(4000) / 16000
    parts = [
        rng.normal(0, 2000, 4000),
        12000 * np.sin(2 * np.pi * (200 * time + 12000 * time**2)) + rng.normal(0, 30, 4000),
        sum(3000 * np.sin(2 * np.pi * f * time) for f in (220, 224, 880, 3100)) + rng.normal(0, 10, 4000),
        np.where(np.arange(4000) % 500 == 0, 20000, 0) + rng.normal(0, 2, 4000),
    ]
    return np.concatenate(parts).astype(np.int16)


def kaldi(x: NDArray[np.int16]) -> NDArray[np.float32]:
    options = kaldi_native_fbank.MfccOptions()
    options.frame_opts.dither = 0
    options.use_energy = False
    computer = kaldi_native_fbank.OnlineMfcc(options)
    computer.accept_waveform(16000, x.astype(np.float32).tolist())
    computer.input_finished()
    return np.stack([computer.get_frame(i) for i in range(computer.num_frames_ready)])


x = sound()
y = x.astype(np.float32) / 32768
mel = torchaudio.transforms.MelSpectrogram(16000, 512, 400, 160, n_mels=40, pad_mode="constant")
spectrum = librosa.feature.melspectrogram(y=y, sr=16000, n_fft=512, hop_length=160, n_mels=40)
np.savez_compressed(
    Path(__file__).parent / "expected.npz",
    samples=x,
    kaldi=kaldi(x),
    torchaudio=torch.log(mel(torch.from_numpy(y)) + 1e-6).numpy().T,
    librosa=librosa.feature.mfcc(S=librosa.power_to_db(spectrum, top_db=None), n_mfcc=20).T.astype(np.float32),
)
