using InterGuest.Agent.Guests;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Transport;

namespace InterGuest.Agent.Net;

/// <summary>Joins a tap of the host to a network link: frames go from one to the other as they are, with their headers.</summary>
internal sealed class TapRole(Tap tap) : IRole
{
    /// <summary>Entries of the queues.</summary>
    public const int QueueSize = 256;

    /// <summary>The largest that segmentation offload makes, with room for VLAN tags (VIRTIO 1.2, 5.1.6.3.1).</summary>
    public const int LargestFrame = 65550;

    private const int Burst = 64;

    // What the kernel's side of a tap can always be given; what it may send is set by what was agreed on.
    private const ulong Receive = Features.NetGuestChecksum | Features.NetGuestTso4 | Features.NetGuestTso6 | Features.NetGuestEcn;
    private const ulong Send = Features.NetChecksum | Features.NetHostTso4 | Features.NetHostTso6 | Features.NetHostEcn;

    private DriverDevice? _device;
    private PairDriver? _driver;
    private bool _watching;

    /// <summary>Frames from the tap to the link.</summary>
    public long Sent { get; private set; }

    /// <summary>Frames from the link to the tap.</summary>
    public long Received { get; private set; }

    /// <summary>Frames that the tap did not take: the interface is down, or their header cannot be.</summary>
    public long Refused { get; private set; }

    /// <inheritdoc/>
    public bool IsDone => false;

    /// <inheritdoc/>
    public ulong Wanted => Receive | Send;

    /// <inheritdoc/>
    public void Start(DriverDevice device)
    {
        // The device may write a frame as soon as it is started, and the tap's offloads depend on what it accepts.
        tap.SetOffloads(device.Accepted & Send);
        _device = device;
        _driver = new PairDriver(device, LargestFrame, QueueSize);
    }

    /// <inheritdoc/>
    public bool Work()
    {
        bool worked = _driver!.Reclaim() > 0;
        return ToTap() | FromTap() | worked;
    }

    /// <inheritdoc/>
    public int Arm()
    {
        Watch(_driver!.Room > 0);
        return _driver.ArmReceive() || (_driver.Room == 0 && _driver.ArmTransmit()) ? 0 : -1;
    }

    /// <inheritdoc/>
    public void Stop()
    {
        if (_device != null)
            Watch(false);
        (_device, _driver) = (null, null);
    }

    private bool ToTap()
    {
        int count = 0;
        for (; count < Burst && _driver!.TryReceive(out var packet); count++)
        {
            if (tap.Write(packet))
                Received++;
            else
                Refused++;
        }
        if (count > 0)
            _driver!.FlushReceive();
        return count > 0;
    }

    private bool FromTap()
    {
        int count = 0;
        for (; count < Burst && _driver!.TryTake(out int slot, out var packet); count++)
        {
            int bytes = tap.Read(packet);
            if (bytes <= 0)
            {
                _driver.Return(slot);
                if (bytes < 0)
                    throw new AgentException("the tap is gone: somebody deleted the interface");
                break;
            }
            _driver.Send(slot, bytes);
        }
        if (count > 0)
            _driver!.FlushTransmit();
        Sent += count;
        return count > 0;
    }

    /// <summary>The tap's frames are waited for only while there is room for them.</summary>
    private void Watch(bool wanted)
    {
        if (wanted == _watching)
            return;
        _watching = wanted;
        if (wanted)
            _device!.Watch(tap.Descriptor);
        else
            _device!.Unwatch(tap.Descriptor);
    }
}
