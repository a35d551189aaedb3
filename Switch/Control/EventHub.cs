using System.Threading.Channels;
using InterGuest.Protos.V1;

namespace InterGuest.Switch.Control;

/// <summary>Hands events to those who watch. One who reads too slowly misses some, and is told how many.</summary>
public sealed class EventHub
{
    private const int Backlog = 256;

    // Changed and read on the control thread.
    private readonly List<Subscription> _subscriptions = [];

    /// <summary>Begins to watch. On the control thread.</summary>
    public Subscription Subscribe()
    {
        var subscription = new Subscription(Backlog);
        _subscriptions.Add(subscription);
        return subscription;
    }

    /// <summary>Ends it. On the control thread.</summary>
    public void Unsubscribe(Subscription subscription) => _subscriptions.Remove(subscription);

    /// <summary>Whether anybody watches. On the control thread.</summary>
    public bool IsWatched => _subscriptions.Count > 0;

    /// <summary>Tells all. On the control thread.</summary>
    public void Publish(Event happened)
    {
        foreach (var subscription in _subscriptions)
            subscription.Offer(happened);
    }

    /// <summary>One who watches.</summary>
    public sealed class Subscription
    {
        private readonly Channel<Event> _channel;
        private ulong _missed;

        internal Subscription(int backlog) =>
            _channel = Channel.CreateBounded<Event>(new BoundedChannelOptions(backlog) { SingleReader = true, SingleWriter = true });

        /// <summary>The events, as they come.</summary>
        public ChannelReader<Event> Events => _channel.Reader;

        internal void Offer(Event happened)
        {
            var own = _missed > 0 ? new Event(happened) { Missed = _missed } : happened;
            if (_channel.Writer.TryWrite(own))
                _missed = 0;
            else
                _missed++;
        }
    }
}
