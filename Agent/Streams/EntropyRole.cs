using System.Security.Cryptography;
using InterGuest.Agent.Guests;
using InterGuest.Virtio.Transport;

namespace InterGuest.Agent.Streams;

/// <summary>
/// The guest at an entropy-source port: keeps its transmit queue full of random bytes, each sent once, for the virtio-rng at
/// the other end of the link to take (VIRTIO 1.2, 5.4).
/// </summary>
internal sealed class EntropyRole : IRole
{
    /// <summary>Entries of the queues: bytes made ahead are few.</summary>
    public const int QueueSize = 16;

    /// <summary>Of a buffer.</summary>
    public const int BufferBytes = 1024;

    private PairDriver? _driver;

    /// <summary>Bytes that were taken.</summary>
    public long Taken { get; private set; }

    /// <inheritdoc/>
    public bool IsDone => false;

    /// <inheritdoc/>
    public void Start(DriverDevice device) => _driver = new PairDriver(device, BufferBytes, QueueSize, headerBytes: 0);

    /// <inheritdoc/>
    public bool Work()
    {
        Taken += (long)_driver!.Reclaim() * BufferBytes;
        bool sent = false;
        for (; _driver.TryTake(out int slot, out var buffer); sent = true)
        {
            RandomNumberGenerator.Fill(buffer);
            _driver.Send(slot, buffer.Length);
        }
        if (sent)
            _driver.FlushTransmit();
        return sent;
    }

    /// <inheritdoc/>
    public int Arm() => _driver!.ArmTransmit() ? 0 : -1;

    /// <inheritdoc/>
    public void Stop() => _driver = null;
}
