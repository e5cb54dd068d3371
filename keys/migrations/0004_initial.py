import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('keys', '0003_initial'),
        ('locks', '0001_initial'),
        ('pms', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='historicalcredential',
            name='history_user',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalcredential',
            name='property',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='historicalkey',
            name='history_user',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalkey',
            name='property',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='historicalkey',
            name='reservation',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='pms.reservation'),
        ),
        migrations.AddField(
            model_name='historicalkeychaindoor',
            name='door',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='locks.door'),
        ),
        migrations.AddField(
            model_name='historicalkeychaindoor',
            name='history_user',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalkeychaindoor',
            name='outage',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='pms.outage'),
        ),
        migrations.AddField(
            model_name='historicalkeychaindoor',
            name='property',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='key',
            name='property',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='keys', to='locks.property'),
        ),
        migrations.AddField(
            model_name='key',
            name='reservation',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='key', to='pms.reservation'),
        ),
        migrations.AddField(
            model_name='historicalkeychaindoor',
            name='key',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='keys.key'),
        ),
        migrations.AddField(
            model_name='historicalcredential',
            name='key',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='keys.key'),
        ),
        migrations.AddField(
            model_name='guestmessage',
            name='key',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='messages', to='keys.key'),
        ),
        migrations.AddField(
            model_name='credential',
            name='key',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='credentials', to='keys.key'),
        ),
        migrations.AddField(
            model_name='continuation',
            name='key',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='continuations', to='keys.key'),
        ),
        migrations.AddField(
            model_name='bulkrow',
            name='key',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='keys.key'),
        ),
        migrations.AddField(
            model_name='backupcode',
            name='given_for',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='backups_given', to='keys.key'),
        ),
        migrations.AddField(
            model_name='backupcode',
            name='key',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='backup', to='keys.key'),
        ),
        migrations.AddField(
            model_name='assignment',
            name='key',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='assignments', to='keys.key'),
        ),
        migrations.AddField(
            model_name='keychaindoor',
            name='door',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='keychain_doors', to='locks.door'),
        ),
        migrations.AddField(
            model_name='keychaindoor',
            name='key',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='doors', to='keys.key'),
        ),
        migrations.AddField(
            model_name='keychaindoor',
            name='outage',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='held_doors', to='pms.outage'),
        ),
        migrations.AddField(
            model_name='keychaindoor',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='assignment',
            name='keychain_door',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='assignments', to='keys.keychaindoor'),
        ),
        migrations.AddField(
            model_name='person',
            name='guest',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='people', to='keys.guest'),
        ),
        migrations.AddField(
            model_name='person',
            name='key',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='people', to='keys.key'),
        ),
        migrations.AddField(
            model_name='person',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='historicalcredential',
            name='person',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='keys.person'),
        ),
        migrations.AddField(
            model_name='credential',
            name='person',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='credentials', to='keys.person'),
        ),
        migrations.AddField(
            model_name='recovery',
            name='outage',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='recoveries', to='pms.outage'),
        ),
        migrations.AddField(
            model_name='recovery',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='recoveryrow',
            name='key',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='keys.key'),
        ),
        migrations.AddField(
            model_name='recoveryrow',
            name='property',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='recoveryrow',
            name='recovery',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='rows', to='keys.recovery'),
        ),
        migrations.AddField(
            model_name='recoveryrow',
            name='reservation',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='pms.reservation'),
        ),
        migrations.AddField(
            model_name='recoveryrow',
            name='twin',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='keys.key'),
        ),
        migrations.AddField(
            model_name='supportrequest',
            name='outage',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='pms.outage'),
        ),
        migrations.AddField(
            model_name='supportrequest',
            name='property',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='locks.property'),
        ),
        migrations.AddField(
            model_name='supportrequest',
            name='recovery',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='keys.recovery'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(condition=models.Q(('closed_at', None)), fields=['property', 'rank', 'id'], name='alerts_open'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(condition=models.Q(('closed_at__isnull', False)), fields=['property', '-closed_at', '-id'], name='alerts_past'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(fields=['property', '-opened_at', '-id'], name='alerts_by_beginning'),
        ),
        migrations.AddConstraint(
            model_name='alert',
            constraint=models.UniqueConstraint(condition=models.Q(('closed_at', None)), fields=('property', 'kind', 'about'), name='one_open_alert_per_trouble'),
        ),
        migrations.AddConstraint(
            model_name='alert',
            constraint=models.CheckConstraint(condition=models.Q(('closed_at', None), ('closed_at__gte', models.F('opened_at')), _connector='OR'), name='alert_ends_after_it_began'),
        ),
        migrations.AddIndex(
            model_name='bulkchange',
            index=models.Index(fields=['property', '-id'], name='bulk_changes_of_hotel'),
        ),
        migrations.AddIndex(
            model_name='bulkchange',
            index=models.Index(condition=models.Q(('finished_at', None)), fields=['id'], name='bulk_changes_under_way'),
        ),
        migrations.AddIndex(
            model_name='formercode',
            index=models.Index(fields=['property', 'digest'], name='former_code_by_digest'),
        ),
        migrations.AddIndex(
            model_name='guest',
            index=models.Index(fields=['property', 'external_id'], name='guest_by_pms_id'),
        ),
        migrations.AddIndex(
            model_name='key',
            index=models.Index(condition=models.Q(('revoked_at', None)), fields=['property', 'starts_at', 'id'], name='keys_by_start'),
        ),
        migrations.AddIndex(
            model_name='key',
            index=models.Index(condition=models.Q(('revoked_at', None)), fields=['property', 'over_at', 'id', 'starts_at'], name='keys_by_end'),
        ),
        migrations.AddIndex(
            model_name='key',
            index=models.Index(fields=['property', 'starts_at', 'id'], name='keys_all'),
        ),
        migrations.AddIndex(
            model_name='key',
            index=models.Index(condition=models.Q(('reservation', None)), fields=['property', 'created_at'], name='keys_by_hand'),
        ),
        migrations.AddIndex(
            model_name='key',
            index=models.Index(condition=models.Q(('revoked_at__isnull', False)), fields=['property', '-revoked_at', '-id'], name='keys_revoked'),
        ),
        migrations.AddConstraint(
            model_name='key',
            constraint=models.CheckConstraint(condition=models.Q(('starts_at__lt', models.F('ends_at'))), name='key_window_has_length', violation_error_message='The departure must be after the arrival.'),
        ),
        migrations.AddConstraint(
            model_name='key',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('revoked_at', None), ('revoked_because', '')), models.Q(('revoked_at__isnull', False), models.Q(('revoked_because', ''), _negated=True)), _connector='OR'), name='revoked_says_why'),
        ),
        migrations.AddIndex(
            model_name='guestmessage',
            index=models.Index(condition=models.Q(('next_try_at__isnull', False)), fields=['next_try_at'], name='guest_messages_due'),
        ),
        migrations.AddConstraint(
            model_name='guestmessage',
            constraint=models.UniqueConstraint(fields=('credential', 'channel', 'number'), name='guest_message_once'),
        ),
        migrations.AddConstraint(
            model_name='guestmessage',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('next_try_at__isnull', False), ('state', 'waiting')), models.Q(models.Q(('state', 'waiting'), _negated=True), ('next_try_at', None)), _connector='OR'), name='only_what_waits_is_tried'),
        ),
        migrations.AddIndex(
            model_name='bulkrow',
            index=models.Index(fields=['change', 'state', 'id'], name='bulk_rows_by_state'),
        ),
        migrations.AddConstraint(
            model_name='bulkrow',
            constraint=models.UniqueConstraint(fields=('change', 'key'), name='key_once_per_bulk_change'),
        ),
        migrations.AddIndex(
            model_name='backupcode',
            index=models.Index(condition=models.Q(('given_for', None), ('rotated_at', None)), fields=['door'], name='backups_at_hand'),
        ),
        migrations.AddIndex(
            model_name='backupcode',
            index=models.Index(condition=models.Q(('given_at__isnull', False)), fields=['property', '-given_at', '-id'], name='backups_given_by_time'),
        ),
        migrations.AddIndex(
            model_name='backupcode',
            index=models.Index(condition=models.Q(('given_at__isnull', False), ('rotated_at', None)), fields=['given_at'], name='backups_to_rotate'),
        ),
        migrations.AddConstraint(
            model_name='backupcode',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('given_at', None), ('given_for', None)), models.Q(('given_at__isnull', False), ('given_for__isnull', False)), _connector='OR'), name='backup_given_has_a_time'),
        ),
        migrations.AddConstraint(
            model_name='backupcode',
            constraint=models.UniqueConstraint(condition=models.Q(('given_for__isnull', False), ('rotated_at', None)), fields=('given_for', 'door'), name='one_backup_per_guest_and_door'),
        ),
        migrations.AddIndex(
            model_name='keychaindoor',
            index=models.Index(condition=models.Q(('permission', 'held_by_outage'), ('removed_at', None)), fields=['property', 'outage', 'key'], name='doors_held_by_outage'),
        ),
        migrations.AddIndex(
            model_name='keychaindoor',
            index=models.Index(condition=models.Q(('leaving_since__isnull', False)), fields=['key'], name='doors_that_are_leaving'),
        ),
        migrations.AddConstraint(
            model_name='keychaindoor',
            constraint=models.UniqueConstraint(fields=('key', 'door'), name='door_once_per_keychain', violation_error_message='This door is in the keychain already.'),
        ),
        migrations.AddConstraint(
            model_name='keychaindoor',
            constraint=models.CheckConstraint(condition=models.Q(('permission__in', ['automatic', 'allowed_before_check_in', 'held_by_staff', 'held_by_outage'])), name='permission_is_known'),
        ),
        migrations.AddConstraint(
            model_name='keychaindoor',
            constraint=models.CheckConstraint(condition=models.Q(('starts_at', None), ('ends_at', None), ('starts_at__lt', models.F('ends_at')), _connector='OR'), name='door_window_has_length', violation_error_message='The departure must be after the arrival.'),
        ),
        migrations.AddConstraint(
            model_name='keychaindoor',
            constraint=models.CheckConstraint(condition=models.Q(('weekdays__gte', 1), ('weekdays__lte', 127)), name='some_weekday'),
        ),
        migrations.AddConstraint(
            model_name='keychaindoor',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('permission', 'held_by_outage'), _negated=True), ('outage__isnull', False), _connector='OR'), name='held_by_which_outage'),
        ),
        migrations.AddConstraint(
            model_name='keychaindoor',
            constraint=models.CheckConstraint(condition=models.Q(('leaving_since', None), ('removed_at', None), _connector='OR'), name='what_left_is_not_leaving'),
        ),
        migrations.AddConstraint(
            model_name='keychaindoor',
            constraint=models.CheckConstraint(condition=models.Q(('removed_by_staff', False), ('removed_at__isnull', False), _connector='OR'), name='what_staff_removed_is_removed'),
        ),
        migrations.AddIndex(
            model_name='assignment',
            index=models.Index(condition=models.Q(('next_attempt_at__isnull', False)), fields=['next_attempt_at', 'writer'], name='assignments_due'),
        ),
        migrations.AddIndex(
            model_name='assignment',
            index=models.Index(condition=models.Q(('next_attempt_at__isnull', False)), fields=['writer', 'next_attempt_at'], name='assignments_of_writer'),
        ),
        migrations.AddIndex(
            model_name='assignment',
            index=models.Index(condition=models.Q(('waits', ''), _negated=True), fields=['property', 'waits', 'starts_at', 'key'], name='assignments_waiting'),
        ),
        migrations.AddIndex(
            model_name='assignment',
            index=models.Index(condition=models.Q(('headline', 'removal_pending')), fields=['property', 'starts_at', 'key'], name='assignments_to_be_removed'),
        ),
        migrations.AddIndex(
            model_name='assignment',
            index=models.Index(condition=models.Q(('headline__in', ['removal_pending', 'still_on_lock'])), fields=['property', 'headline_since', 'id'], name='assignments_not_gone'),
        ),
        migrations.AddIndex(
            model_name='assignment',
            index=models.Index(condition=models.Q(('reserved_digest__isnull', False)), fields=['property', 'id'], name='assignments_live'),
        ),
        migrations.AddIndex(
            model_name='assignment',
            index=models.Index(fields=['lock'], name='assignments_on_lock'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.UniqueConstraint(fields=('credential', 'door'), name='credential_once_per_door'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.UniqueConstraint(condition=models.Q(('reserved_digest__isnull', False)), fields=('door', 'kind', 'reserved_digest'), name='secret_once_per_door'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.CheckConstraint(condition=models.Q(('written_revision', None), ('written_revision__lte', models.F('revision')), _connector='OR'), name='lock_is_never_ahead'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.CheckConstraint(condition=models.Q(('sent_revision', None), ('sent_revision__lte', models.F('revision')), _connector='OR'), name='sent_is_never_ahead'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.CheckConstraint(condition=models.Q(('reserved_digest__isnull', False), models.Q(('sent_revision', None), ('written_revision', None)), _connector='OR'), name='what_is_on_a_lock_stays_reserved'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('lock', None), ('writer', None)), models.Q(('lock__isnull', False), ('writer__isnull', False)), _connector='OR'), name='a_lock_has_its_writer'),
        ),
        migrations.AddConstraint(
            model_name='person',
            constraint=models.UniqueConstraint(fields=('key', 'guest'), name='guest_once_per_key'),
        ),
        migrations.AddConstraint(
            model_name='person',
            constraint=models.UniqueConstraint(condition=models.Q(('is_main', True)), fields=('key',), name='one_main_person_per_key'),
        ),
        migrations.AddIndex(
            model_name='credential',
            index=models.Index(fields=['property', 'secret_digest'], name='credential_by_digest'),
        ),
        migrations.AddConstraint(
            model_name='credential',
            constraint=models.UniqueConstraint(condition=models.Q(('retired_at', None)), fields=('person', 'kind'), name='one_credential_per_kind_and_person'),
        ),
        migrations.AddIndex(
            model_name='recovery',
            index=models.Index(fields=['property', '-id'], name='recoveries_of_hotel'),
        ),
        migrations.AddConstraint(
            model_name='recovery',
            constraint=models.UniqueConstraint(condition=models.Q(('finished_at', None)), fields=('outage',), name='one_recovery_of_an_outage_at_a_time'),
        ),
        migrations.AddIndex(
            model_name='recoveryrow',
            index=models.Index(condition=models.Q(('state', 'waiting')), fields=['recovery', 'rank', 'id'], name='recovery_queue'),
        ),
        migrations.AddIndex(
            model_name='recoveryrow',
            index=models.Index(condition=models.Q(('state__in', ['waiting', 'done']), _negated=True), fields=['recovery', 'state', 'reservation'], name='recovery_results'),
        ),
        migrations.AddConstraint(
            model_name='recoveryrow',
            constraint=models.UniqueConstraint(fields=('recovery', 'reservation'), name='stay_once_per_recovery'),
        ),
        migrations.AddIndex(
            model_name='supportrequest',
            index=models.Index(fields=['answered_at', 'id'], name='support_queue'),
        ),
        migrations.AddConstraint(
            model_name='supportrequest',
            constraint=models.UniqueConstraint(condition=models.Q(('answered_at', None)), fields=('outage',), name='one_open_request_per_outage'),
        ),
    ]
